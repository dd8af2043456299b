// Media types of header fields: type and subtype by which they are compared, and the encoding they name.

/** `type/subtype` in lower case, without parameters; undefined when the field is missing or empty. RFC 9110 clause 8.3.1. */
export function mediaType(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  const type = (semicolon < 0 ? value : value.slice(0, semicolon)).trim().toLowerCase();
  return type === '' ? undefined : type;
}

/** The `charset` parameter in lower case, without quotes; undefined when there is none. RFC 9110 clauses 5.6.6 and 8.3.2. */
export function charset(value = ''): string | undefined {
  const parameter = /;[ \t]*([^=;"\s]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*)))?[ \t]*/y;
  parameter.lastIndex = value.includes(';') ? value.indexOf(';') : value.length;
  for (let found = parameter.exec(value); found !== null; found = parameter.exec(value)) {
    const [, name = '', quoted, bare] = found;
    if (name.toLowerCase() === 'charset') return (quoted?.replace(/\\(.)/g, '$1') ?? bare)?.toLowerCase();
  }
  return undefined;
}
