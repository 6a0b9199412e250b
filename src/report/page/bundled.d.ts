/** What rolldown makes of `page.css` and `client/main.ts` when regtar is built: strings inside the program, so that no file is looked for at run time. */
declare module 'regtar:report-page' {
  export const style: string;
  export const script: string;
}
