/** What the file of a volume is called: its place in the set, counted from 1, and how many there are. */
export interface VolumeName {
  readonly index: number;
  readonly count: number;
}

/** `volume-01-of-03.tar` */
export function formatVolumeName({ index, count }: VolumeName): string {
  const digits = Math.max(2, String(count).length);
  return `volume-${String(index).padStart(digits, '0')}-of-${String(count).padStart(digits, '0')}.tar`;
}

const pattern = /^volume-([0-9]{2,5})-of-([0-9]{2,5})\.tar(?:\.part[0-9]{2,4})?$/;

/** Reads the name of a volume, or of a part of one. @returns undefined for any other name */
export function parseVolumeName(name: string): VolumeName | undefined {
  const match = pattern.exec(name);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || index < 1 || index > count) return undefined;
  const whole = name.replace(/\.part[0-9]+$/, '');
  return formatVolumeName({ index, count }) === whole ? { index, count } : undefined;
}

/** The files of a volume that is cut into parts; the volume's own name where it is one file. */
export function volumeFiles(name: string, parts: number): readonly string[] {
  if (parts === 1) return [name];
  const digits = Math.max(2, String(parts).length);
  return Array.from({ length: parts }, (_, index) => `${name}.part${String(index + 1).padStart(digits, '0')}`);
}
