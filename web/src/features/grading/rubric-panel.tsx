export function RubricPanel(_: { question: string; course: string; bench: unknown; may: string[]; onSaved: () => Promise<void> }) {
  return null;
}
