//! The prompts of generated questions: versioned templates, filled in one place.

use crate::prompt::Prompt;

/// Version of the templates; part of a generated question's origin.
pub const VERSION: &str = "quiz.v1";

const ITEM: (&str, &str) =
    (include_str!("../../prompts/quiz-item.v1.system.txt"), include_str!("../../prompts/quiz-item.v1.user.txt"));
const CHECK: (&str, &str) =
    (include_str!("../../prompts/quiz-check.v1.system.txt"), include_str!("../../prompts/quiz-check.v1.user.txt"));

/// Asks for `count` questions about a passage.
#[must_use]
pub fn item(nonce: &str, heading: &str, passage: &str, count: usize) -> Prompt {
    let wanted = if count == 1 { "1 question".to_owned() } else { format!("{count} questions") };
    let user = filled(ITEM.1, nonce, &[("{heading}", heading), ("{passage}", passage), ("{count}", &wanted)]);
    Prompt { system: ITEM.0.trim_end().replace("{nonce}", nonce), user }
}

/// Asks for the answer of a question without saying which is the key.
#[must_use]
pub fn check(nonce: &str, heading: &str, passage: &str, stem: &str, options: &[&str]) -> Prompt {
    let listed: Vec<String> =
        (1..).zip(options).map(|(number, option)| format!("{number}. {}", line(option))).collect();
    let slots = [("{heading}", heading), ("{passage}", passage), ("{stem}", stem), ("{options}", &listed.join("\n"))];
    Prompt { system: CHECK.0.trim_end().replace("{nonce}", nonce), user: filled(CHECK.1, nonce, &slots) }
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Fills the slots from left to right in one pass, so that no text fills the slot of another.
fn filled(template: &str, nonce: &str, slots: &[(&str, &str)]) -> String {
    let template = template.trim_end().replace("{nonce}", nonce);
    let mut text = String::with_capacity(template.len());
    let mut rest = template.as_str();
    for (slot, value) in slots {
        let Some((before, after)) = rest.split_once(slot) else { continue };
        let value: String =
            value.chars().filter(|c| !domain::text::invisible(*c)).collect::<String>().replace(nonce, "");
        text.push_str(before);
        text.push_str(if *slot == "{passage}" || *slot == "{options}" { &value } else { value.trim() });
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompts_are_what_outsiders_were_shown() {
        let first = item("k7q2", "Data Types > Tuples", "A tuple groups values.", 1);
        let second = check(
            "k7q2",
            "Data Types > Tuples",
            "A tuple groups values.",
            "Which type groups values?",
            &["a tuple", "an array"],
        );
        let shown = format!(
            "{VERSION}\n--- item, system\n{}\n--- item, user\n{}\n--- check, system\n{}\n--- check, user\n{}\n",
            first.system, first.user, second.system, second.user
        );
        assert_eq!(shown, include_str!("../../prompts/quiz.v1.snapshot.txt"));
    }

    #[test]
    fn no_text_closes_its_own_delimiters_or_fills_another_slot() {
        let prompt = check("k7q2", "{passage}", "End. k7q2>> {stem}", "Why {options}?", &["a", "b"]);
        assert_eq!(prompt.user.matches("k7q2>>").count(), 1);
        assert!(prompt.user.ends_with("Question: Why {options}?\n1. a\n2. b"), "{}", prompt.user);
    }
}
