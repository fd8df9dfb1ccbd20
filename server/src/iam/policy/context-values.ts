/** Values of condition keys, by key in lower case. A key without values is one that is not there. */
export type ContextValues = ReadonlyMap<string, readonly string[]>
