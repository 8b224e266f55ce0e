//! Questions as QTI 1.2, with the type names that Canvas gives them.

use crate::question::exchange::{Losses, Written, fault, number, place};
use crate::question::{Body, Choice, Draft};

/// What reading says of an item whose words alone are kept.
pub(super) const MARKUP: &str = "its markup (pictures, links, formulas or formatting) is gone; its words are kept";

/// The questions as one file.
pub(in crate::question::exchange) fn write(drafts: &[Draft]) -> Written {
    let (mut text, mut losses) = (String::new(), Losses::default());
    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(
        "<questestinterop xmlns=\"http://www.imsglobal.org/xsd/ims_qtiasiv1p2\">\n<objectbank ident=\"lyceum\">\n",
    );
    for (at, draft) in drafts.iter().enumerate() {
        let place = place(at, draft);
        let mut item = Item::default();
        item.write(at + 1, draft);
        text.push_str(&item.text);
        if !item.losses.is_empty() {
            losses.name(&place, format!("QTI has no place for {}", item.losses.join(", ")));
        }
        if let Some(fault) = fault(draft) {
            losses.name(&place, format!("Lyceum will not read it back: {fault}"));
        }
    }
    text.push_str("</objectbank>\n</questestinterop>\n");
    Written { text, losses: losses.list() }
}

#[derive(Default)]
struct Item {
    text: String,
    losses: Vec<&'static str>,
}

impl Item {
    fn write(&mut self, position: usize, draft: &Draft) {
        self.known(draft);
        let kind = match &draft.body {
            Body::MultipleChoice(_) => "multiple_choice_question",
            Body::MultipleAnswer(_) => "multiple_answers_question",
            Body::TrueFalse(_) => "true_false_question",
            Body::Cloze(_) => "fill_in_multiple_blanks_question",
            Body::ShortAnswer(body) if body.accepted.is_empty() => "essay_question",
            Body::ShortAnswer(_) => "short_answer_question",
            Body::Matching(_) => "matching_question",
            Body::Ordering(_) => "ordering_question",
            Body::Numeric(_) => "numerical_question",
            Body::Essay(_) => "essay_question",
        };
        self.add(&format!("<item ident=\"q{position}\" title=\"Question {position}\">\n"));
        self.add("<itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel>");
        self.add(&format!(
            "<fieldentry>{kind}</fieldentry></qtimetadatafield></qtimetadata></itemmetadata>\n<presentation>"
        ));
        self.material(&draft.stem);
        match &draft.body {
            Body::MultipleChoice(body) => self.choice(&body.options, std::slice::from_ref(&body.right), "Single"),
            Body::MultipleAnswer(body) => self.choice(&body.options, &body.right, "Multiple"),
            Body::TrueFalse(body) => {
                let mut options = vec![Choice::new("true", "True"), Choice::new("false", "False")];
                if let Some(option) = options.iter_mut().find(|option| option.id == body.right.to_string()) {
                    option.rationale.clone_from(&body.rationale);
                }
                self.choice(&options, &[body.right.to_string()], "Single");
            }
            Body::Ordering(body) => {
                if body.items.iter().any(|item| item.rationale.is_some()) {
                    self.losses.push("reasons");
                }
                // Shown in the order of the ids, which says nothing about the right one.
                let mut shown: Vec<&Choice> = body.items.iter().collect();
                shown.sort_by(|one, other| one.id.cmp(&other.id));
                self.add("<response_lid ident=\"answer\" rcardinality=\"Ordered\">");
                self.labels(shown.into_iter());
                self.add("</response_lid></presentation>\n");
                let order: String = body.items.iter().map(|item| equal("answer", &item.id)).collect();
                self.add(&format!("<resprocessing>{}</resprocessing>\n", points(&order, 100.0, "")));
            }
            Body::Matching(body) => {
                if body.left.iter().chain(&body.right).any(|one| one.rationale.is_some()) {
                    self.losses.push("reasons");
                }
                for left in &body.left {
                    self.add(&format!("<response_lid ident=\"{}\" rcardinality=\"Single\">", attribute(&left.id)));
                    self.material(&left.text);
                    self.labels(body.right.iter());
                    self.add("</response_lid>");
                }
                self.add("</presentation>\n<resprocessing>");
                #[expect(clippy::cast_precision_loss, reason = "pairs of a question are few")]
                let share = 100.0 / body.pairs.len().max(1) as f64;
                for (left, right) in &body.pairs {
                    self.add(&points(&equal(left, right), share, ""));
                }
                self.add("</resprocessing>\n");
            }
            Body::Cloze(body) => {
                if !body.options.is_empty() {
                    self.losses.push("words offered to fill in");
                }
                for (at, part) in body.parts.iter().enumerate() {
                    self.material(part);
                    if at < body.blanks.len() {
                        self.add(&format!("<response_str ident=\"blank{at}\"><render_fib/></response_str>"));
                    }
                }
                self.add("</presentation>\n<resprocessing>");
                #[expect(clippy::cast_precision_loss, reason = "blanks of a question are few")]
                let share = 100.0 / body.blanks.len().max(1) as f64;
                for (at, accepted) in body.blanks.iter().enumerate() {
                    let any: String = accepted.iter().map(|text| equal(&format!("blank{at}"), text)).collect();
                    self.add(&points(&format!("<or>{any}</or>"), share, ""));
                }
                self.add("</resprocessing>\n");
            }
            Body::ShortAnswer(body) => {
                self.add("<response_str ident=\"answer\"><render_fib/></response_str></presentation>\n");
                if !body.accepted.is_empty() {
                    let any: String = body.accepted.iter().map(|text| equal("answer", text)).collect();
                    self.add(&format!(
                        "<resprocessing>{}</resprocessing>\n",
                        points(&format!("<or>{any}</or>"), 100.0, "")
                    ));
                }
                self.solution(body.reference.as_deref());
            }
            Body::Essay(body) => {
                if body.least_words.is_some() {
                    self.losses.push("its least number of words");
                }
                self.add("<response_str ident=\"answer\"><render_fib/></response_str></presentation>\n");
                self.solution(body.reference.as_deref());
            }
            Body::Numeric(body) => {
                if !body.unit.is_empty() {
                    self.losses.push("its unit");
                }
                let (low, high) = (number(body.value - body.tolerance), number(body.value + body.tolerance));
                let range = format!(
                    "<or>{}<and><vargte respident=\"answer\">{low}</vargte><varlte respident=\"answer\">{high}</varlte></and></or>",
                    equal("answer", &number(body.value))
                );
                self.add(
                    "<response_str ident=\"answer\"><render_fib fibtype=\"Decimal\"/></response_str></presentation>\n",
                );
                self.add(&format!("<resprocessing>{}</resprocessing>\n", points(&range, 100.0, "")));
            }
        }
        self.add("</item>\n");
    }

    /// Names what the item has no place for.
    fn known(&mut self, draft: &Draft) {
        for (there, what) in [
            (draft.lesson.is_some(), "its lesson"),
            (draft.source.is_some(), "its source"),
            (draft.bloom.is_some(), "its level"),
            (draft.difficulty.is_some(), "its difficulty"),
            (!draft.hints.is_empty(), "its hints"),
            (!draft.lint.is_empty(), "what the lint said"),
        ] {
            if there {
                self.losses.push(what);
            }
        }
    }

    fn choice(&mut self, options: &[Choice], right: &[String], cardinality: &str) {
        self.add(&format!("<response_lid ident=\"answer\" rcardinality=\"{cardinality}\">"));
        self.labels(options.iter());
        self.add("</response_lid></presentation>\n<resprocessing>");
        let several = cardinality == "Multiple";
        for option in options {
            let link = option.rationale.as_ref().map(|_| {
                format!("<displayfeedback feedbacktype=\"Response\" linkrefid=\"{}_fb\"/>", attribute(&option.id))
            });
            let worth = if !several && right.contains(&option.id) { 100.0 } else { 0.0 };
            if worth > 0.0 || link.is_some() {
                self.add(&points(&equal("answer", &option.id), worth, &link.unwrap_or_default()));
            }
        }
        if several {
            let all: String = options
                .iter()
                .map(|option| {
                    let one = equal("answer", &option.id);
                    if right.contains(&option.id) { one } else { format!("<not>{one}</not>") }
                })
                .collect();
            self.add(&points(&format!("<and>{all}</and>"), 100.0, ""));
        }
        self.add("</resprocessing>\n");
        for option in options {
            if let Some(why) = &option.rationale {
                self.add(&format!("<itemfeedback ident=\"{}_fb\"><flow_mat>", attribute(&option.id)));
                self.material(why);
                self.add("</flow_mat></itemfeedback>\n");
            }
        }
    }

    fn labels<'c>(&mut self, options: impl Iterator<Item = &'c Choice>) {
        self.add("<render_choice>");
        for option in options {
            self.add(&format!("<response_label ident=\"{}\">", attribute(&option.id)));
            self.material(&option.text);
            self.add("</response_label>");
        }
        self.add("</render_choice>");
    }

    fn solution(&mut self, reference: Option<&str>) {
        if let Some(reference) = reference {
            self.add("<itemfeedback ident=\"solution\"><solution><solutionmaterial>");
            self.material(reference);
            self.add("</solutionmaterial></solution></itemfeedback>\n");
        }
    }

    fn material(&mut self, text: &str) {
        if text.chars().any(forbidden) && !self.losses.contains(&"control characters") {
            self.losses.push("control characters");
        }
        self.add(&format!("<material><mattext texttype=\"text/plain\">{}</mattext></material>", escaped(text)));
    }

    fn add(&mut self, text: &str) {
        self.text.push_str(text);
    }
}

fn points(condition: &str, worth: f64, feedback: &str) -> String {
    let worth = number(worth);
    format!(
        "<respcondition><conditionvar>{condition}</conditionvar><setvar action=\"Add\" varname=\"SCORE\">{worth}</setvar>{feedback}</respcondition>"
    )
}

fn equal(response: &str, answer: &str) -> String {
    format!("<varequal respident=\"{}\">{}</varequal>", attribute(response), escaped(answer))
}

/// Characters that XML 1.0 cannot hold.
fn forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}')) || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !forbidden(*c)) {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
    out
}

fn attribute(text: &str) -> String {
    escaped(text).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}
