/** A lesson's Markdown. Raw HTML is shown as text, images of other hosts are not fetched, lines keep their numbers. */
import "katex/dist/katex.min.css";
import { memo, useRef } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import rehypeKatex from "rehype-katex";
import remarkGfm from "remark-gfm";
import remarkMath from "remark-math";
import type { Place } from "../../api/place";
import { useCited } from "./cited";

interface Node {
  type: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  position?: { start: { line: number }; end: { line: number } };
  children?: Node[];
}

const BLOCKS = new Set(["p", "li", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "tr"]);

/** Puts the lines of the file on each block, so that a citation finds its place. */
export function lines() {
  const walk = (node: Node) => {
    if (node.type === "element" && node.position && BLOCKS.has(node.tagName ?? "")) {
      node.properties = {
        ...node.properties,
        "data-place-kind": "lines",
        "data-place-start": node.position.start.line,
        "data-place-end": node.position.end.line,
      };
    }
    for (const child of node.children ?? []) walk(child);
  };
  return walk;
}

const components: Components = {
  // Content is data: a picture of another host would tell that host who reads.
  img: ({ alt }) => <span className="picture">Picture: {alt || "without a description"}</span>,
  a: ({ href, children }) =>
    href?.startsWith("http") ? (
      <a href={href} rel="noreferrer" target="_blank">
        {children} <span className="quiet">(other site)</span>
      </a>
    ) : (
      <span>{children}</span>
    ),
  table: ({ children }) => (
    <div className="wide" role="region" aria-label="Table" tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  pre: ({ node: _, ...rest }) => <pre {...rest} tabIndex={0} />,
};

const Rendered = memo(function Rendered({ text }: { text: string }) {
  return (
    <ReactMarkdown
      remarkPlugins={[remarkGfm, remarkMath]}
      rehypePlugins={[lines, [rehypeKatex, { trust: false, strict: "ignore" }], [rehypeHighlight, { detect: false }]]}
      components={components}
    >
      {text}
    </ReactMarkdown>
  );
});

export function Markdown({ text, at }: { text: string; at: Place | null }) {
  const root = useRef<HTMLDivElement>(null);
  useCited(root, at, text);
  return (
    <div className="prose" ref={root}>
      <Rendered text={text} />
    </div>
  );
}
