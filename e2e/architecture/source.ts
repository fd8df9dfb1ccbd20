import path from 'node:path'
import ts from 'typescript'

/** A file of the repository: `path` is relative to its root, with forward slashes. */
export type SourceText = { path: string; text: string }

/** One import, export-from, `import()` or `import('…')` type. `target` is a repository path, or undefined outside it. */
export type Import = { specifier: string; line: number; target: string | undefined }

/** What the rules need to know of one file. Lines count from 1. */
export type Source = {
  path: string
  /** Top folder: `server`, `bin`, `e2e`, … */
  root: string
  isTest: boolean
  lines: string[]
  imports: Import[]
  defaultExports: number[]
  enums: number[]
  randoms: number[]
}

const PACKAGE = /^@sallyport\/([a-z]+)(?:\/(.+))?$/

/** Parses one TypeScript file. Syntax errors are the compiler's business: the parser carries on behind them. */
export function parseSource({ path: file, text }: SourceText): Source {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const source: Source = {
    path: file,
    root: file.split('/')[0] ?? '',
    isTest: /\.test\.tsx?$/.test(file),
    lines: text.replace(/\n$/, '').split('\n'),
    imports: [],
    defaultExports: [],
    enums: [],
    randoms: [],
  }
  const visit = (node: ts.Node): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
    const specifier = specifierOf(node)
    if (specifier !== undefined) {
      source.imports.push({ specifier, line, target: resolveSpecifier(file, specifier) })
    }
    if (isDefaultExport(node)) source.defaultExports.push(line)
    if (ts.isEnumDeclaration(node)) source.enums.push(line)
    if (ts.isPropertyAccessExpression(node) && node.getText(tree) === 'Math.random') source.randoms.push(line)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return source
}

function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : undefined
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const argument = node.arguments[0]
    return argument && ts.isStringLiteralLike(argument) ? argument.text : undefined
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteral(node.argument.literal) ? node.argument.literal.text : undefined
  }
  return undefined
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return ts.canHaveModifiers(node)
    ? (ts.getModifiers(node) ?? []).some(modifier => modifier.kind === ts.SyntaxKind.DefaultKeyword)
    : false
}

/** `@sallyport/x/a/b` is `x/src/a/b.ts` by the `exports` map of every workspace. */
function resolveSpecifier(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return path.posix.join(path.posix.dirname(file), specifier)
  const [, workspace, subpath = 'index'] = PACKAGE.exec(specifier) ?? []
  return workspace === undefined ? undefined : `${workspace}/src/${subpath}.ts`
}
