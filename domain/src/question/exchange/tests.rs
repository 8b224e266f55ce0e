use proptest::prelude::*;

use super::samples::{draft, each_type, words};
use super::*;
use crate::question::OriginKind;

#[test]
fn a_format_is_known_by_its_spelling() {
    for format in Format::ALL {
        assert_eq!(Format::parse(format.as_str()), Some(*format));
        assert_eq!(serde_json::to_value(format).unwrap(), format.as_str());
    }
    assert_eq!(Format::parse("docx"), None);
}

#[test]
fn what_is_not_the_format_is_an_error_that_names_the_line() {
    for (format, text, says) in [
        (Format::Gift, "", "line 1: this is not GIFT"),
        (Format::Gift, "\n\nDear all,\nno question here.", "line 3: this is not GIFT"),
        (Format::Gift, "{\"json\": [1, 2]}", "line 1: this is not GIFT"),
        (Format::Gift, "ok {T}\n\nPK\u{3}\u{4}\0\0", "line 3: this is not GIFT"),
        (Format::Csv, "", "line 1: this is not CSV"),
        (Format::Csv, "name,mark\nA,1\n", "line 1: this is not CSV"),
        (Format::Csv, "type,stem\nessay,\0\n", "line 2: this is not CSV"),
        (Format::Qti, "", "line 1: this is not QTI"),
        (Format::Qti, "<item>", "line 1: this is not QTI"),
    ] {
        let error = read(format, text).unwrap_err();
        assert!(error.message.starts_with(says), "{text:?}: {}", error.message);
    }
}

#[test]
fn size_and_number_are_bounded() {
    let long = format!("one {{T}}\n{}", "x".repeat(LARGEST));
    for format in Format::ALL {
        assert!(read(*format, &long).unwrap_err().message.starts_with("line 2: the text is longer than 10 MB"));
    }
    let many = "x {T}\n\n".repeat(MOST_QUESTIONS + 1);
    assert_eq!(read(Format::Gift, &many).unwrap_err().details[0].code, "TOO_MANY");
    let many = format!("type,stem,right\n{}", "true_false,x,t\n".repeat(MOST_QUESTIONS + 1));
    assert_eq!(read(Format::Csv, &many).unwrap_err().details[0].code, "TOO_MANY");
    let many = format!("<questestinterop>{}</questestinterop>", "<item/>".repeat(MOST_QUESTIONS + 1));
    assert_eq!(read(Format::Qti, &many).unwrap_err().details[0].code, "TOO_MANY");
    let broken = format!("x {{T}}\n\n{}", "no braces\n\n".repeat(MOST_LOSSES + 5));
    let read_back = read(Format::Gift, &broken).unwrap();
    assert_eq!((read_back.drafts.len(), read_back.losses.len()), (1, MOST_LOSSES + 1));
    assert_eq!(read_back.losses.last().unwrap().what, "5 more losses, not named one by one");
    let options = format!("x {{{}}}\n\ny {{T}}", "~a".repeat(MOST_PIECES * 9));
    assert_eq!(read(Format::Gift, &options).unwrap().drafts.len(), 1);
}

#[test]
fn what_cannot_be_read_back_is_named() {
    let mut draft = each_type().remove(0);
    draft.stem = "x".repeat(LONGEST + 1);
    for format in Format::ALL {
        let losses = write(*format, std::slice::from_ref(&draft)).losses;
        assert!(losses.iter().any(|loss| loss.what.contains("will not read it back")), "{losses:?}");
    }
}

/// Text that looks like one of the formats, or like nothing.
fn hostile() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec(words(), 0..30);
    let gift = lines.clone().prop_map(|pieces| format!("q {{T}}\n\n{}", pieces.join("{")));
    let csv = lines.prop_map(|pieces| format!("type,stem,text,option_1,right,feedback\ncloze,{}", pieces.join(",")));
    prop_oneof![gift, csv, any::<String>()]
}

proptest! {
    #[test]
    fn hostile_text_is_refused_or_gives_questions_without_a_hard_flaw(text in hostile()) {
        for format in Format::ALL {
            if let Ok(found) = read(*format, &text) {
                for draft in &found.drafts {
                    prop_assert_eq!(fault(draft), None);
                    prop_assert_eq!(draft.origin.kind, OriginKind::Imported);
                }
            }
        }
    }

    #[test]
    fn a_text_of_ours_that_was_cut_or_mixed_up_is_read_without_harm(
        draft in draft(words()), noise in words(), at in any::<prop::sample::Index>(),
    ) {
        for format in Format::ALL {
            let mut text: Vec<char> = write(*format, std::slice::from_ref(&draft)).text.chars().collect();
            let place = at.index(text.len());
            let noise: Vec<char> = noise.chars().collect();
            text.splice(place..(place + noise.len()).min(text.len()), noise);
            if let Ok(found) = read(*format, &text.iter().collect::<String>()) {
                prop_assert!(found.drafts.iter().all(|draft| fault(draft).is_none()));
            }
        }
    }
}
