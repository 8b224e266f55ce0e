/** A text with the passages marked that judgements rest on. */
import { pieces, type Evidence } from "../api/evidence";
import { letter } from "../api/grading";

interface Props {
  text: string;
  criteria: { id: string; evidence: Evidence[] }[];
  /** The criterion that is looked at; its passages stand out. */
  active?: string | null;
}

export function EvidenceText({ text, criteria, active }: Props) {
  const cut = pieces(
    text,
    criteria.map(({ id, evidence }) => ({ name: id, evidence })),
  );
  const sign = (id: string) => letter(criteria.findIndex((one) => one.id === id));
  return (
    <div className="handed-in">
      {cut.map((piece, n) =>
        piece.of.length === 0 ? (
          piece.text
        ) : (
          <mark key={n} className={active && piece.of.includes(active) ? "active" : active ? "other" : ""}>
            {piece.text}
            {piece.ends.map((id) => (
              <sup key={id} aria-hidden="true">
                {sign(id)}
              </sup>
            ))}
          </mark>
        ),
      )}
    </div>
  );
}
