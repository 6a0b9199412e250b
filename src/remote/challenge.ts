/**
 * One challenge of a `WWW-Authenticate` header. Scheme and parameter names are in lower case.
 * @see RFC 9110, section 11.6.1
 */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameterPattern = new RegExp(`\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]*))\\s*`, 'y');
const schemePattern = new RegExp(`[\\s,]*(${token})(?=\\s|,|$)`, 'y');
const token68Pattern = /\s+[0-9A-Za-z._~+/-]+=*(?=\s*(?:,|$))/y;
const commaPattern = /[\s,]*/y;

/**
 * Every challenge of a header; several header lines may be joined by commas. What cannot be read ends the list without
 * an error.
 */
export function parseChallenges(header: string | undefined): readonly Challenge[] {
  const text = header ?? '';
  const challenges: Challenge[] = [];
  let at = 0;
  const next = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const scheme = next(schemePattern)?.[1];
    if (scheme === undefined) return challenges;
    const parameters: Record<string, string> = {};
    if (!next(token68Pattern)) {
      for (let match = next(parameterPattern); match; match = next(parameterPattern)) {
        const name = match[1] ?? '';
        parameters[name.toLowerCase()] = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
        next(commaPattern);
      }
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}

/** The first challenge of a scheme, which is in small letters. */
export function findChallenge(challenges: readonly Challenge[], scheme: string): Challenge | undefined {
  return challenges.find((challenge) => challenge.scheme === scheme);
}
