const PLAIN = /^[A-Za-z0-9_/:=.,@%+-]+$/

/** One line that a POSIX shell, or our agent, splits into exactly these words (POSIX XCU 2.2.2). */
export const shellQuote = (words: readonly string[]): string => words.map(quoteWord).join(' ')

const quoteWord = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
