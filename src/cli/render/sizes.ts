export { formatBytes, formatCount, formatSeconds, plural } from '../../report/sizes.ts';
