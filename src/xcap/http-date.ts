// Dates in header fields, RFC 9110 clause 5.6.7: the one form that is sent today, and the two that a recipient must still understand.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const time = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)';
const month = `(?<month>${months.join('|')})`;
const forms = [
  // IMF-fixdate
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\\d\\d) ${month} (?<year>\\d{4}) ${time} GMT`,
  // RFC 850
  `(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\\d\\d)-${month}-(?<year>\\d\\d) ${time} GMT`,
  // asctime
  `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ${month} (?<day>[ \\d]\\d) ${time} (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`));

/** Milliseconds since 1970 of an HTTP-date; undefined for anything else. `now`, milliseconds, decides the century of the obsolete form. */
export function parseHttpDate(text: string, now: number): number | undefined {
  const parts = forms.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined);
  if (parts === undefined) return undefined;
  const { day, hour, minute, second, year = '' } = parts;
  const place = months.indexOf(parts.month ?? '');
  const at = (fullYear: number): number =>
    Date.UTC(fullYear, place, Number(day), Number(hour), Number(minute), Number(second));
  if (year.length === 4) return at(Number(year));
  const thisYear = new Date(now).getUTCFullYear();
  const candidate = at(thisYear - (thisYear % 100) + Number(year));
  // RFC 9110 5.6.7: what seems to be more than 50 years ahead is the past year with these digits
  return candidate > Date.UTC(thisYear + 50, place, Number(day))
    ? at(thisYear - (thisYear % 100) + Number(year) - 100)
    : candidate;
}
