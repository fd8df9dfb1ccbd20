/** Reads the code and message out of an AWS error body, JSON or XML (control-plane.md 18.1). */
export function decodeErrorBody(body: string): { code: string | undefined; message: string } {
  const xml = /^\s*(?:<\?xml[^>]*>\s*)?<(\w+)[^>]*>\s*<Message>([^<]*)<\/Message>/i.exec(body)
  if (xml !== null) return { code: xml[1], message: xml[2] ?? '' }
  try {
    const json = JSON.parse(body) as { __type?: string; message?: string; Message?: string }
    return { code: json.__type, message: json.message ?? json.Message ?? '' }
  } catch {
    return { code: undefined, message: body.slice(0, 200) }
  }
}
