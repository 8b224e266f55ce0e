/** A number as people write it; nothing when it is none. */
export function number(text: string): number | null {
  const plain = text.trim().replace(/\s/g, "").replace(/^([-+]?\d*),(\d+)$/, "$1.$2");
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain) ? Number(plain) : null;
}
