import type { CommandDocument, CommandParameter } from './command-schema.ts'

// Command documents that AWS owns (control-plane.md 14.2). Names, types, defaults and bounds of parameters are AWS's,
// since callers and scripts rely on them.

const EXECUTION_TIMEOUT = '([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)'
/** AWS's documents that fetch what they run allow eight hours. */
const REMOTE_TIMEOUT = '([1-9][0-9]{0,3})|(1[0-9]{1,4})|(2[0-7][0-9]{1,3})|(28[0-7][0-9]{1,2})|(28800)'
const PACKAGE_NAME =
  '^arn:[a-z0-9][-.a-z0-9]{0,62}:[a-z0-9][-.a-z0-9]{0,62}:([a-z0-9][-.a-z0-9]{0,62})?:([a-z0-9][-.a-z0-9]{0,62})?:(package|document)\\/[a-zA-Z0-9/:.\\-_]{1,128}$|^[a-zA-Z0-9/:.\\-_]{1,128}$'

const workingDirectory: CommandParameter = {
  type: 'String',
  default: '',
  description: 'The directory to run in; the one that the content is fetched to, if any',
  maxChars: 4096,
}
const executionTimeout: CommandParameter = {
  type: 'String',
  default: '3600',
  description: 'Seconds that it may take, up to 172800 (48 hours)',
  allowedPattern: EXECUTION_TIMEOUT,
}
const sourceInfo: CommandParameter = {
  type: 'StringMap',
  description: 'Where exactly it is: what the type of source needs, as JSON, such as {"path": "https://…"}',
  displayType: 'textarea',
}

function script(description: string, action: string): CommandDocument {
  return {
    schemaVersion: '1.2',
    description,
    parameters: {
      commands: {
        type: 'StringList',
        description: 'The lines of the script',
        minItems: 1,
        displayType: 'textarea',
      },
      workingDirectory,
      executionTimeout,
    },
    runtimeConfig: {
      [action]: {
        properties: [
          {
            id: `0.${action}`,
            runCommand: '{{ commands }}',
            workingDirectory: '{{ workingDirectory }}',
            timeoutSeconds: '{{ executionTimeout }}',
          },
        ],
      },
    },
  }
}

const WHERE_AND_HOW_LONG = {
  workingDirectory: '{{ workingDirectory }}',
  timeoutSeconds: '{{ executionTimeout }}',
}

const runRemoteScript: CommandDocument = {
  schemaVersion: '2.2',
  description: 'Runs a script that is kept on GitHub, in S3, in a Git repository or on a web server',
  parameters: {
    sourceType: {
      type: 'String',
      description: 'The type of source',
      // AWS's has the first two.
      allowedValues: ['GitHub', 'S3', 'HTTP', 'Git'],
    },
    sourceInfo,
    commandLine: {
      type: 'String',
      description: 'What to run of what was fetched, with its arguments, such as: install.sh --quiet',
    },
    workingDirectory,
    executionTimeout: {
      ...executionTimeout,
      description: 'Seconds that the script may take, up to 28800 (8 hours)',
      allowedPattern: REMOTE_TIMEOUT,
    },
  },
  mainSteps: [
    {
      action: 'aws:downloadContent',
      name: 'downloadContent',
      inputs: {
        sourceType: '{{ sourceType }}',
        sourceInfo: '{{ sourceInfo }}',
        destinationPath: '{{ workingDirectory }}',
      },
    },
    {
      // PowerShell may be there on the others as well.
      precondition: { StringEquals: ['platformType', 'Windows'] },
      action: 'aws:runPowerShellScript',
      name: 'runPowerShellScript',
      inputs: {
        runCommand: [
          '$env:PATH += ";$(Convert-Path .)"',
          '{{ commandLine }}',
          'if ($?) { exit $LASTEXITCODE } else { exit 255 }',
        ],
        ...WHERE_AND_HOW_LONG,
      },
    },
    {
      action: 'aws:runShellScript',
      name: 'runShellScript',
      inputs: { runCommand: ['export PATH="$PATH:$(pwd)"', '{{ commandLine }}'], ...WHERE_AND_HOW_LONG },
    },
  ],
}

const runDocument: CommandDocument = {
  schemaVersion: '2.2',
  description: 'Runs another command document: one of this account, or one that is kept elsewhere',
  parameters: {
    sourceType: {
      type: 'String',
      description: 'The type of source',
      allowedValues: ['GitHub', 'S3', 'SSMDocument', 'HTTP', 'Git'],
    },
    sourceInfo,
    documentParameters: {
      type: 'StringMap',
      description: 'Parameters of the document that is run',
      displayType: 'textarea',
      default: {},
    },
  },
  mainSteps: [
    {
      action: 'aws:downloadContent',
      name: 'downloadContent',
      inputs: {
        sourceType: '{{ sourceType }}',
        sourceInfo: '{{ sourceInfo }}',
        // A name that is no directory yet is what the one file is called: the next step has to know.
        destinationPath: 'document',
      },
    },
    {
      action: 'aws:runDocument',
      name: 'runDocument',
      inputs: {
        documentType: 'LocalPath',
        documentPath: 'document',
        documentParameters: '{{ documentParameters }}',
      },
    },
  ],
}

const updateAgent: CommandDocument = {
  schemaVersion: '1.2',
  description: 'Updates the agent to the latest version, or to the given one',
  parameters: {
    version: { type: 'String', default: '', description: 'The version to install; the latest if empty' },
    allowDowngrade: {
      type: 'String',
      default: 'false',
      description: 'Whether an older version than the present one may be installed',
      allowedValues: ['true', 'false'],
    },
  },
  runtimeConfig: {
    'aws:updateSsmAgent': {
      properties: [
        {
          agentName: 'amazon-ssm-agent',
          source: 'https://s3.{Region}.amazonaws.com/amazon-ssm-{Region}/ssm-agent-manifest.json',
          allowDowngrade: '{{ allowDowngrade }}',
          targetVersion: '{{ version }}',
        },
      ],
    },
  },
}

const configurePackage: CommandDocument = {
  schemaVersion: '2.2',
  description: 'Installs or removes a package of Distributor',
  parameters: {
    action: {
      type: 'String',
      description: 'Whether to install or to remove it',
      allowedValues: ['Install', 'Uninstall'],
    },
    installationType: {
      type: 'String',
      description: 'What happens to a version that is there already',
      allowedValues: ['Uninstall and reinstall', 'In-place update'],
      default: 'Uninstall and reinstall',
    },
    name: { type: 'String', description: 'The package', allowedPattern: PACKAGE_NAME },
    version: { type: 'String', default: '', description: 'The version of the package; the latest if empty' },
    additionalArguments: {
      type: 'StringMap',
      description: 'What else the scripts of the package are told',
      displayType: 'textarea',
      default: {},
      maxChars: 4096,
    },
  },
  mainSteps: [
    {
      action: 'aws:configurePackage',
      name: 'configurePackage',
      inputs: {
        name: '{{ name }}',
        action: '{{ action }}',
        installationType: '{{ installationType }}',
        version: '{{ version }}',
        additionalArguments: '{{ additionalArguments }}',
      },
    },
  ],
}

/** By name; the content of each is immutable, version 1. */
export const amazonCommandDocuments: Readonly<Record<string, CommandDocument>> = {
  'AWS-RunShellScript': script('Runs a shell script', 'aws:runShellScript'),
  'AWS-RunPowerShellScript': script('Runs a PowerShell script', 'aws:runPowerShellScript'),
  'AWS-RunRemoteScript': runRemoteScript,
  'AWS-RunDocument': runDocument,
  'AWS-UpdateSSMAgent': updateAgent,
  'AWS-ConfigureAWSPackage': configurePackage,
}
