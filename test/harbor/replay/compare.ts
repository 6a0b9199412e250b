import type { Answer } from './player.ts';
import type { Exchange } from './recording.ts';
import type { Substitution } from './substitution.ts';

/** Headers that a client acts upon, or could be misled by. */
const exactHeaders = [
  'Content-Type',
  'Www-Authenticate',
  'Docker-Content-Digest',
  'Docker-Distribution-Api-Version',
  'Range',
  'Link',
  'X-Total-Count',
  'Oci-Subject',
  'Oci-Filters-Applied',
  'Etag',
  'Accept-Ranges',
  'Content-Range',
  'X-Frame-Options',
  'Content-Length',
];
/** These must be there when Harbor sends them, whatever they say. */
const presentHeaders = ['Set-Cookie', 'X-Harbor-Csrf-Token'];
/** These must not be there when Harbor does not send them. */
const tellingHeaders = ['Www-Authenticate', 'Location', 'Docker-Content-Digest', 'Oci-Subject', 'Link'];

/** Fields whose value is another one on every server. */
const variable = new Set([
  'token',
  'secret',
  'icon',
  'issued_at',
  'id',
  'artifact_id',
  'repository_id',
  'child_id',
  'parent_id',
  'subject_artifact_id',
  'size',
  'expires_at',
  'error',
  'Env',
  'Digest',
  'used',
  'artifact_count',
]);

/** Every difference between what the double answered and what Harbor did; empty when there is none that matters. */
export function differences(exchange: Exchange, answer: Answer, substitution: Substitution): string[] {
  const { response } = exchange;
  const found: string[] = [];
  if (answer.status !== response.status)
    return [
      `status ${String(answer.status)} instead of ${String(response.status)}: ${answer.body.toString().slice(0, 300)}`,
    ];
  for (const name of exactHeaders) {
    const recorded = response.headers[name];
    if (recorded === undefined) continue;
    const actual = header(answer, name);
    if (actual !== substitution.ours(recorded))
      found.push(`${name}: ${String(actual)} instead of ${substitution.ours(recorded)}`);
  }
  for (const name of presentHeaders)
    if (response.headers[name] !== undefined && header(answer, name) === undefined) found.push(`no ${name}`);
  for (const name of tellingHeaders)
    if (response.headers[name] === undefined && header(answer, name) !== undefined)
      found.push(`${name} that Harbor does not send: ${String(header(answer, name))}`);
  const location = response.headers['Location'];
  if (location !== undefined && header(answer, 'Location') !== substitution.ours(location))
    found.push(`Location: ${String(header(answer, 'Location'))} instead of ${substitution.ours(location)}`);
  return [...found, ...bodyDifferences(exchange, answer, substitution)];
}

function bodyDifferences({ response }: Exchange, answer: Answer, substitution: Substitution): string[] {
  const text = answer.body.toString();
  if (response.page !== undefined)
    return text.includes(`<title>${response.page}</title>`)
      ? []
      : [`page ${text.slice(0, 80)} instead of ${response.page}`];
  if (response.text !== undefined)
    return text.trim() === substitution.ours(response.text).trim()
      ? []
      : [`text ${text.slice(0, 80)} instead of ${response.text}`];
  if (response.body === undefined) return [];
  return compare('', response.body, JSON.parse(text) as unknown, substitution);
}

function compare(where: string, recorded: unknown, actual: unknown, substitution: Substitution): string[] {
  const difference = [
    `${where}: ${JSON.stringify(actual)?.slice(0, 300) ?? 'nothing'} instead of ${JSON.stringify(recorded).slice(0, 300)}`,
  ];
  if (Array.isArray(recorded)) {
    if (!Array.isArray(actual) || (actual.length === 0) !== (recorded.length === 0)) return difference;
    return recorded.flatMap((element, index) =>
      index < actual.length ? compare(`${where}[${String(index)}]`, element, actual[index], substitution) : difference,
    );
  }
  if (isRecord(recorded)) {
    if (!isRecord(actual)) return difference;
    const keys = new Set([...Object.keys(recorded), ...Object.keys(actual)]);
    return [...keys].flatMap((key) => {
      if (key in recorded !== key in actual)
        return [`${where}.${key} ${key in actual ? 'that Harbor does not send' : 'is missing'}`];
      if (!variable.has(key)) return compare(`${where}.${key}`, recorded[key], actual[key], substitution);
      return typeof recorded[key] === typeof actual[key] ? [] : difference;
    });
  }
  if (typeof recorded !== 'string') return recorded === actual ? [] : difference;
  if (typeof actual !== 'string') return difference;
  return comparable(actual) === comparable(substitution.ours(recorded)) ? [] : difference;
}

/** Without what a clock says and what a JSON parser finds to say. */
function comparable(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/(unmarshal manifest failed: )(?:invalid character|Unexpected token|Expected|No number).*/s, '$1not JSON')
    .replace(/\d{6,}/g, 'N');
}

function header(answer: Answer, name: string): string | undefined {
  const value = answer.headers[name.toLowerCase()];
  return Array.isArray(value) ? value.join(', ') : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
