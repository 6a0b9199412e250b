import type { ServerWords } from '../net/server-words.ts';

/** A registry that images are pushed to. */
export const registryWords: ServerWords = {
  noun: 'registry',
  codes: {
    unreachable: 'TARGET_UNREACHABLE',
    tls: 'TARGET_TLS',
    timeout: 'TARGET_TIMEOUT',
    refused: 'TARGET_REFUSED',
  },
  options: {
    caFile: '--ca-file',
    clientCertificate: '--cert-file and --key-file',
    insecure: '--insecure',
    plainHttp: '--plain-http',
    stallTimeout: '--stall-timeout',
  },
};
