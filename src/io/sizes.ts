import prettyBytes from 'pretty-bytes';

/** `3.1 GB`, in powers of ten, as disks and networks are sold. */
export function formatBytes(bytes: number): string {
  return prettyBytes(bytes, { maximumFractionDigits: 1 });
}

/** `5,184` */
export function formatCount(count: number): string {
  return count.toLocaleString('en-US');
}

/** `4 m 10 s`, `1 h 2 m`, `12.3 s` */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0 ? `${hours} h ${minutes} m` : `${minutes} m ${whole % 60} s`;
}

/** `1 image`, `2 images` */
export function plural(count: number, noun: string): string {
  const many = noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${formatCount(count)} ${count === 1 ? noun : many}`;
}
