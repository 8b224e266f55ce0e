/** The time that is left by the server's clock. */
import { useEffect, useState } from "react";

export function inClock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** What is to be said aloud on the way from `before` to `now` seconds left. */
export function warning(before: number, now: number): string | null {
  if (now <= 0) return before > 0 ? "The time is over. Your answers are being handed in." : null;
  if (before > 60 && now <= 60) return "One minute left.";
  if (before > 300 && now <= 300) return "Five minutes left.";
  return null;
}

/** Seconds left, each second; nothing without a deadline. `now` was the server's clock when the answer came. */
export function useLeft(deadline: string | null | undefined, now: string, arrived: number): number | null {
  const ahead = Date.parse(now) - arrived;
  const left = () => (deadline ? (Date.parse(deadline) - Date.now() - ahead) / 1000 : null);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!deadline) return;
    const timer = setInterval(() => tick((n) => n + 1), 1_000);
    return () => clearInterval(timer);
  }, [deadline]);
  return left();
}
