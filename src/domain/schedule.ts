/** When generations fall due: at a fixed interval from the last one, or by the calendar. */
export type Schedule =
  | { readonly type: "every"; readonly milliseconds: number }
  | { readonly type: "cron"; readonly expression: string; readonly zone: string };
