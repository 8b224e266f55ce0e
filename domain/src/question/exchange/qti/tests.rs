use super::*;
use crate::question::exchange::samples::each_type;

#[test]
fn out_and_in_keeps_stem_key_and_reasons_of_every_type() {
    let drafts = each_type();
    let written = write(&drafts);
    let found = read(&written.text).unwrap();
    assert_eq!(found.losses, vec![]);
    assert_eq!(found.drafts.len(), drafts.len());
    for (before, after) in drafts.iter().zip(&found.drafts) {
        assert_eq!(after.stem, before.stem);
        assert_eq!(after.body.type_name(), before.body.type_name());
        let key = |draft: &Draft| {
            // The unit is one of the losses.
            let mut key: Vec<String> = draft.body.key().iter().map(|one| one.replace(" kHz", "")).collect();
            key.sort();
            key
        };
        assert_eq!(key(after), key(before));
        if !matches!(before.body, Body::Matching(_) | Body::Ordering(_)) {
            assert_eq!(after.body.rationales().len(), before.body.rationales().len(), "{}", before.body.type_name());
        }
    }
    assert!(written.losses.iter().all(|loss| loss.what.starts_with("QTI has no place for its lesson, its source")));
}

fn one(inner: &str) -> Read {
    read(&format!("<questestinterop>{inner}</questestinterop>")).unwrap()
}

#[test]
fn what_cannot_be_a_question_is_named_with_its_reason() {
    let typed = |kind: &str| {
        format!(
            "<item title=\"T\"><itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel><fieldentry>{kind}</fieldentry></qtimetadatafield></qtimetadata></itemmetadata><presentation><material><mattext>x</mattext></material></presentation></item>"
        )
    };
    for (kind, says) in [
        ("calculated_question", "formula"),
        ("file_upload_question", "file"),
        ("hot_spot_question", "picture"),
        ("text_only_question", "not a question"),
        ("anything", "no place for an answer"),
    ] {
        let found = one(&typed(kind));
        assert_eq!(found.drafts, vec![]);
        assert!(found.losses[0].what.contains(says), "{kind}: {:?}", found.losses);
    }
    assert_eq!(one(&typed("essay_question")).drafts[0].body, essay(None));
}

#[test]
fn other_roots_are_refused_by_name() {
    for (text, says) in [
        ("<assessmentTest/>", "ingest qti"),
        ("<qti-assessment-item/>", "QTI 3.0"),
        ("<html/>", "root element is \"html\""),
        ("not xml", "no root element"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.message.starts_with("line 1: this is not QTI"), "{}", error.message);
        assert!(error.message.contains(says), "{}", error.message);
    }
}

#[test]
fn interactions_of_two_one_become_questions() {
    let item = |declared: &str, body: &str| {
        let text = format!(
            "<assessmentItem identifier=\"i\" title=\"T\">{declared}<itemBody>{body}</itemBody></assessmentItem>"
        );
        read(&text).unwrap().drafts.remove(0)
    };
    let correct = |cardinality: &str, base: &str, values: &[&str]| {
        let values: String = values.iter().map(|value| format!("<value>{value}</value>")).collect();
        format!(
            "<responseDeclaration identifier=\"R\" cardinality=\"{cardinality}\" baseType=\"{base}\"><correctResponse>{values}</correctResponse></responseDeclaration>"
        )
    };
    let options = "<simpleChoice identifier=\"a\">One</simpleChoice><simpleChoice identifier=\"b\">Two</simpleChoice><simpleChoice identifier=\"c\">Three</simpleChoice>";
    let body = format!(
        "<choiceInteraction responseIdentifier=\"R\" maxChoices=\"0\"><prompt>Which?</prompt>{options}</choiceInteraction>"
    );
    let both = item(&correct("multiple", "identifier", &["a", "c"]), &body);
    assert_eq!((both.stem.as_str(), both.body.key()), ("Which?", vec!["One".to_owned(), "Three".into()]));
    let order = format!("<orderInteraction responseIdentifier=\"R\">{options}</orderInteraction>");
    assert_eq!(item(&correct("ordered", "identifier", &["b", "a", "c"]), &order).body.key(), ["Two", "One", "Three"]);
    let number = "<p>How many?</p><p><textEntryInteraction responseIdentifier=\"R\"/></p>";
    assert_eq!(item(&correct("single", "float", &["2.5"]), number).body.key(), ["2.5"]);
    let gap = "<p>Do this.</p><p>Now <textEntryInteraction responseIdentifier=\"R\"/> comes.</p>";
    let cloze = item(&correct("single", "string", &["winter"]), gap);
    assert_eq!((cloze.stem.as_str(), cloze.body.type_name()), ("Do this.", "cloze"));
}
