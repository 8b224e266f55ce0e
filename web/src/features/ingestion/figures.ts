/** Seconds as people read them. */
export function duration(seconds: number): string {
  if (seconds >= 5400) return `${(seconds / 3600).toFixed(1)} h`;
  if (seconds >= 90) return `${Math.round(seconds / 60)} min`;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** Bytes as people read them. */
export function bytes(count: number): string {
  const mib = count / 1048576;
  if (mib >= 1024) return `${(mib / 1024).toFixed(1)} GiB`;
  if (mib >= 1) return `${mib.toFixed(1)} MiB`;
  return `${(mib * 1024).toFixed(1)} KiB`;
}
