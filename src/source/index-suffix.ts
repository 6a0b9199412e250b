/**
 * `docker.tar.regtar-index` is the index of `docker.tar`. In a file of its own, so that nothing else is loaded where
 * there is none.
 */
export const indexSuffix = '.regtar-index';
