import type { ServerWords } from '../../net/server-words.ts';

/** What failures of a server are called that holds SOURCE, and which options help. */
export const sourceWords: ServerWords = {
  noun: 'server',
  codes: {
    unreachable: 'SOURCE_UNREACHABLE',
    tls: 'SOURCE_UNREACHABLE',
    timeout: 'SOURCE_UNREACHABLE',
    refused: 'SOURCE_UNREADABLE',
  },
  options: {
    caFile: '--source-ca-file',
    clientCertificate: undefined,
    insecure: undefined,
    plainHttp: undefined,
    stallTimeout: '--stall-timeout',
  },
};
