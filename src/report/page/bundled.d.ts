/**
 * What rolldown makes of `page.css` and `client/main.ts` when regtar is built: strings inside the program, so that no
 * file is looked for at run time.
 */
declare module 'regtar:report-page' {
  /** The page's style sheet. */
  export const style: string;
  /** The page's script, bundled. */
  export const script: string;
}
