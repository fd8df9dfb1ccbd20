import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Database, PASSWORD, startMariaDb, startPostgres, USER } from './databases.ts'
import { NetworkNamespace, reaches } from './network-namespace.ts'
import { NetworkScene } from './network-scene.ts'

// AWS's example of remote hosts: databases in a private subnet, whose name and address only the node can make
// something of, used from a laptop with their own client programs. The node is a jump host that nobody can reach.

const HOST = 'mydb.example.ap-east-1.rds.amazonaws.com'
const ROWS = 25_000
const AT_ONCE = 20

let scene: NetworkScene
/** The machine of the databases, which has a cable to the node's and no other. */
let subnet: NetworkNamespace
let postgres: Database
let mariadb: Database

beforeAll(async () => {
  scene = await NetworkScene.create(async network => {
    subnet = await NetworkNamespace.create({ behind: network })
    await network.knowHosts({ [HOST]: subnet.inside })
  })
  const databases = await Promise.all([startPostgres(subnet), startMariaDb(subnet)])
  ;[postgres, mariadb] = databases
})

afterEach(async () => {
  await scene.interruptAll()
})

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]()
  await mariadb?.[Symbol.asyncDispose]()
  await subnet?.[Symbol.asyncDispose]()
  await scene?.[Symbol.asyncDispose]()
})

/** Opens a local port to that port of the host: in the words of AWS's example, or in ours. */
const PROGRAMS = {
  'the aws CLI and our plugin': async (port: number) => {
    await scene.aws(`aws ssm start-session \\
    --target ${scene.node.id} \\
    --document-name AWS-StartPortForwardingSessionToRemoteHost \\
    --parameters '{"host":["${HOST}"],"portNumber":["${port}"], "localPortNumber":["56789"]}'`)
    return 56_789
  },
  'sallyport forward': (port: number) => scene.sallyportForward(`0:${HOST}:${port}`),
}

test('the laptop does not reach the databases, and their name means nothing to it', async () => {
  for (const port of [5432, 3306]) {
    expect(await reaches(HOST, port, scene.network.through)).toBe(true)
    expect(await reaches(subnet.inside, port, scene.laptop.through)).toBe(false)
  }
  await expect(scene.run(['getent', 'hosts', HOST])).rejects.toThrow()
})

describe.each(Object.entries(PROGRAMS))('PostgreSQL with %s', (_, open) => {
  const database = 'shop'

  beforeAll(async () => {
    await postgres.locally('dropdb', '--if-exists', database)
    await postgres.locally('createdb', database)
  })

  /** A program of PostgreSQL on the laptop, with the same arguments as `postgres.locally`. */
  async function through(port: number, program: string, args: string[], input = '') {
    const command = [program, '-h', 'localhost', '-p', String(port), '-U', USER, ...args]
    return await scene.run(command, { env: { PGPASSWORD: PASSWORD }, input })
  }

  test('answers queries; to it, the client is the node', async () => {
    const query = 'SELECT inet_server_addr(), inet_client_addr(), current_user'
    const { stdout } = await through(await open(5432), 'psql', ['-AtX', '-d', 'postgres', '-c', query])
    expect(stdout).toBe(`${subnet.inside}|${subnet.outside}|${USER}\n`)
  })

  test(`gives and takes a table of ${ROWS} rows to the byte`, async () => {
    const columns = `id, now() + id * interval '1s' AS at, repeat(chr(id), id % 40) AS name, sha512(id::text::bytea) AS digest,
      CASE WHEN id % 3 = 0 THEN E'tab\\t, line\\nand \\\\.' END AS note`
    // No character is a surrogate (RFC 3629 3).
    const ids = `generate_series(1, ${ROWS}) AS id`
    await postgres.locally(
      'psql',
      '-qX',
      database,
      '-c',
      `CREATE TABLE item AS SELECT ${columns} FROM ${ids}`,
    )
    const port = await open(5432)
    const { stdout: dump } = await through(port, 'pg_dump', [database])
    expect(withoutKeys(dump)).toBe(withoutKeys(await postgres.locally('pg_dump', database)))
    expect(dump.length).toBeGreaterThan(ROWS * 128)

    const before = await contents()
    await postgres.locally('psql', '-qX', database, '-c', 'DROP TABLE item')
    await through(port, 'psql', ['-qX', '-v', 'ON_ERROR_STOP=1', database], dump)
    expect(await contents()).toBe(before)
  })

  const contents = () =>
    postgres.locally('psql', '-qX', database, '-c', 'COPY (SELECT * FROM item ORDER BY id) TO STDOUT')

  test(`serves ${AT_ONCE} clients at once, on connections that stay and on ever new ones`, async () => {
    const port = await open(5432)
    await through(port, 'pgbench', ['-i', '-q', database])
    const bench = ['-n', '-c', String(AT_ONCE), '-j', '2']
    // Without the updates of one row that everybody waits for.
    const { stdout } = await through(port, 'pgbench', [...bench, '-t', '20', '-N', database])
    expect(stdout).toContain('number of transactions actually processed: 400/400\n')
    expect(stdout).toContain('number of failed transactions: 0 ')
    const { stdout: anew } = await through(port, 'pgbench', [...bench, '-t', '5', '-S', '-C', database])
    expect(anew).toContain('number of transactions actually processed: 100/100\n')
    const count = await postgres.locally(
      'psql',
      '-AtX',
      database,
      '-c',
      'SELECT count(*) FROM pgbench_history',
    )
    expect(count).toBe('400\n')
  })
})

/** Since August 2025 each dump has a random key (CVE-2025-8714). */
function withoutKeys(dump: string): string {
  return dump.replace(/^\\(un)?restrict .*$/gm, '')
}

describe.each(Object.entries(PROGRAMS))('MariaDB, whose server speaks first, with %s', (_, open) => {
  const database = 'shop'

  beforeAll(async () => {
    await mariadb.locally('mariadb', '-e', `DROP DATABASE IF EXISTS ${database}; CREATE DATABASE ${database}`)
  })

  async function through(port: number, program: string, args: string[], input = '') {
    const connection = ['--host=127.0.0.1', `--port=${port}`, `--user=${USER}`, `--password=${PASSWORD}`]
    return await scene.run([program, '--no-defaults', ...connection, ...args], { input })
  }

  test('answers queries; to it, the client is the node', async () => {
    const query = 'SELECT USER(), @@bind_address'
    const { stdout } = await through(await open(3306), 'mariadb', ['-BN', '-e', query])
    expect(stdout).toBe(`${USER}@${subnet.outside}\t${subnet.inside}\n`)
  })

  test(`gives and takes a table of ${ROWS} rows to the byte`, async () => {
    const columns = `seq AS id, SHA2(seq, 512) AS digest, UNHEX(SHA2(seq, 384)) AS raw, REPEAT(CHAR(0x3b1 + seq % 20 USING ucs2), seq % 40) AS name,
      IF(seq % 3 = 0, 'tab\\t, line\\nand \\\\', NULL) AS note`
    const create = `CREATE TABLE item (PRIMARY KEY (id)) AS SELECT ${columns} FROM seq_1_to_${ROWS}`
    await mariadb.locally('mariadb', database, '-e', create)
    const port = await open(3306)
    const options = ['--skip-dump-date', '--hex-blob', database]
    const { stdout: dump } = await through(port, 'mariadb-dump', options)
    expect(withoutHost(dump)).toBe(withoutHost(await mariadb.locally('mariadb-dump', ...options)))
    expect(dump.length).toBeGreaterThan(ROWS * 256)

    const before = await contents()
    await mariadb.locally('mariadb', database, '-e', 'DROP TABLE item')
    await through(port, 'mariadb', [database], dump)
    expect(await contents()).toBe(before)
  })

  const contents = () =>
    mariadb.locally('mariadb', '-BN', database, '-e', 'SELECT *, HEX(raw) FROM item ORDER BY id')

  test(`serves ${AT_ONCE} clients at once`, async () => {
    await mariadb.locally('mariadb', '-e', 'DROP DATABASE IF EXISTS bench; FLUSH STATUS')
    const load = [`--concurrency=${AT_ONCE}`, '--number-of-queries=400', '--create-schema=bench', '--no-drop']
    const table = ['--create=CREATE TABLE hit (at TIMESTAMP)', '--query=INSERT INTO hit VALUES (NOW())']
    await through(await open(3306), 'mariadb-slap', [...load, ...table])
    const status = "SELECT COUNT(*) FROM bench.hit; SHOW STATUS LIKE 'Max_used_connections'"
    const counts = await mariadb.locally('mariadb', '-BN', '-e', status)
    const [hits, , connections] = counts.trim().split(/\s/)
    expect(Number(hits)).toBe(400)
    expect(Number(connections)).toBeGreaterThanOrEqual(AT_ONCE)
  })
})

/** The dump's first lines name what it was asked for. */
function withoutHost(dump: string): string {
  return dump.replace(/^-- Host: .*$/m, '')
}
