import type { SecureContextOptions, TlsOptions } from 'node:tls'
import type { Logger } from '../logger.ts'
import type { Authority } from './authority.ts'
import type { OwnCertificate } from './own-certificate.ts'

/**
 * What the listener shows: the operator's certificate to whoever asks for one of its names, and that of the server's
 * own CA to everybody else. So agents that pinned the CA go on under another name when people get a public certificate.
 */
export class ListenerCertificates {
  readonly #authority: Authority
  readonly #own: OwnCertificate | undefined
  readonly #logger: Logger

  constructor(parts: { authority: Authority; ownCertificate: OwnCertificate | undefined; logger: Logger }) {
    this.#authority = parts.authority
    this.#own = parts.ownCertificate
    this.#logger = parts.logger
    if (this.#own !== undefined) this.#logger.info(this.#own.summary, 'with a certificate of the operator')
  }

  get caPem(): string {
    return this.#authority.caPem
  }

  /** Whether a client that asks for this name (none without SNI) is shown the operator's certificate. */
  isOwn(name: string | undefined): boolean {
    return name !== undefined && this.#own?.covers(name) === true
  }

  options(): TlsOptions & SecureContextOptions {
    return {
      cert: this.#authority.serverCertificatePem,
      key: this.#authority.serverKeyPem,
      minVersion: 'TLSv1.2',
      SNICallback: (name, done) => done(null, this.isOwn(name) ? this.#own?.context : undefined),
    }
  }

  /** Renews and reads again what is due at `now` (epoch ms); true when the listener needs the `options` anew. */
  async refresh(now: number): Promise<boolean> {
    await this.#reloadOwn()
    try {
      const renewed = await this.#authority.renewIfNeeded(now)
      if (renewed) this.#logger.info('the certificate of this server was renewed')
      return renewed
    } catch (error) {
      this.#logger.error({ err: error }, 'the certificate of this server could not be renewed')
      return false
    }
  }

  async #reloadOwn(): Promise<void> {
    try {
      if (await this.#own?.reload()) this.#logger.info(this.#own?.summary, 'read a new certificate')
    } catch (error) {
      this.#logger.error(
        { err: error },
        'the certificate of the operator could not be read again; the old one stays',
      )
    }
  }
}
