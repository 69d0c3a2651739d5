declare module 'parse-prometheus-text-format' {
  /** One object for each family of series. */
  export default function parse(text: string): readonly object[];
}
