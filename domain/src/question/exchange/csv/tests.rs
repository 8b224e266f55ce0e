use proptest::prelude::*;

use super::*;
use crate::question::exchange::fault;
use crate::question::exchange::samples::{draft, each_type, words};

#[test]
fn out_and_in_is_equal_for_every_type() {
    let drafts = each_type();
    let written = write(&drafts);
    let read_back = read(&written.text).unwrap();
    assert_eq!(read_back.losses, vec![]);
    assert_eq!(read_back.drafts, drafts.iter().map(settled).collect::<Vec<_>>());
    for loss in &written.losses {
        assert_eq!(loss.what, "the table has no column for its lesson, how it came to be, what the lint said");
    }
}

#[test]
fn a_teacher_writes_a_table_by_hand() {
    let text = "Type;Stem;option_1;option_3;Right;feedback;tolerance\n\
        multiple_choice;Sky?;red;blue;3; | yes;\n\
        multiple_choice;Sky?;red;blue;blue;;\n\
        multiple_answer;Trees?;oak;elm;1|3;;\n\
        TRUE_FALSE;So.;;;FALSCH;;\n\
        numeric;How many?;;;3,5;;0,5\n\
        ;;;;;;\n\
        ordering;Order!;a;b;;;\n\
        riddle;What?;;;;;\n\
        numeric;How many?;;;many;;\n\
        true_false;So.;;;true;;7\n";
    let found = read(text).unwrap();
    let keys: Vec<Vec<String>> = found.drafts.iter().map(|draft| draft.body.key()).collect();
    assert_eq!(keys, [vec!["blue"], vec!["blue"], vec!["oak", "elm"], vec!["False"], vec!["3.5"], vec!["True"]]);
    let losses: Vec<String> = found.losses.iter().map(|loss| format!("{}: {}", loss.place, loss.what)).collect();
    assert_eq!(losses[0], "line 8: \"Order!\" is left out: an order needs at least three items");
    assert!(losses[1].starts_with("line 9: left out: \"riddle\" is no type of question"));
    assert_eq!(losses[2], "line 10: left out: \"many\" in \"right\" is no number");
    assert_eq!(losses[3], "line 11: this type of question has no use for tolerance");
}

#[test]
fn no_cell_is_a_formula() {
    let mut draft = each_type().remove(2);
    for stem in ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "＝1", "'=1", "''", "'", "it's"] {
        draft.stem = stem.to_owned();
        let text = write(std::slice::from_ref(&draft)).text;
        let mut table = ::csv::Reader::from_reader(text.as_bytes());
        for cell in table.records().next().unwrap().unwrap().iter() {
            assert!(!cell.starts_with(dangerous), "{cell:?}");
        }
        assert_eq!(read(&text).unwrap().drafts[0].stem, stem);
    }
}

#[test]
fn what_the_table_cannot_hold_is_named() {
    let text = "type,stem,option_1,right,source_quote,bloom,colour\n\
        essay,Why?,,,words,wonder,red\n\
        matching,Which?,a,,,,,more\n\
        multiple_choice,Which?,a,2,,,\n";
    let found = read(text).unwrap();
    let losses: Vec<&str> = found.losses.iter().map(|loss| loss.what.as_str()).collect();
    assert_eq!(found.drafts.len(), 1);
    for (loss, said) in losses.iter().zip([
        "the column \"colour\" is not read",
        "the source: ",
        "\"wonder\" is no Bloom level",
        "cells to the right of the last column",
        "left out: \"a\" is no pair",
        "left out: \"2\" in \"right\" is no option",
    ]) {
        assert!(loss.starts_with(said), "{loss} / {said}");
    }
}

/// Texts as the columns hold them: something, without white space at the ends.
fn held() -> impl Strategy<Value = String> + Clone + 'static {
    words().prop_map(|text| format!("x{}", text.trim_end())).boxed()
}

proptest! {
    #[test]
    fn out_and_in_is_equal(draft in draft(held())) {
        prop_assume!(fault(&draft).is_none());
        let written = write(std::slice::from_ref(&draft));
        let read_back = read(&written.text).unwrap();
        prop_assert!(!written.losses.iter().any(|loss| loss.what.contains("read")), "{:?}", written.losses);
        prop_assert_eq!(read_back.losses, vec![]);
        prop_assert_eq!(read_back.drafts, vec![settled(&draft)]);
    }

    #[test]
    fn what_does_not_come_back_is_named(draft in draft(words())) {
        let written = write(std::slice::from_ref(&draft));
        let back = read(&written.text).unwrap().drafts;
        let named = written.losses.iter().any(|loss| loss.what.contains("read"));
        prop_assert!(named || back == vec![settled(&draft)], "{:?}", written.losses);
    }
}
