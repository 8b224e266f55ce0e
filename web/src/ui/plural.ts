export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Points without a tail of zeros. */
export function points(value: number): string {
  return String(Math.round(value * 100) / 100);
}
