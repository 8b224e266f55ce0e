/** Plain text of a question; what stands between backticks is code. */
export function Words({ text }: { text: string }) {
  return (
    <>
      {text.split(/`([^`\n]+)`/).map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
    </>
  );
}
