//! Words of the extraction: what may open a definition, what ties a sentence to its neighbours.

/// First words of a sentence that needs the one before it.
const LEANING: &str = "this that these those it they he she its their here there however therefore thus instead otherwise but also \
    then so and or such similarly likewise both neither again now first second third next finally additionally \
    furthermore recall remember note notice another because if when for to in as with by at on one what let \
    let's most some many other others each every all any while although though since unlike once you we i your \
    our after before from even just no not only where which who how why yes of over under using last";

/// Words anywhere in a sentence that point out of it.
const POINTING: &str = "listing figure chapter section appendix above below previous previously following earlier later preceding we \
    we'll we've we're us our ours i i'm let's book here these those example examples exercise tutorial lesson \
    mentioned discussed aforementioned former latter respectively today now currently yet page video";

/// Words after which "this" or "that" still points to something inside the sentence.
const THAT_NOUNS: &str = "this it its they them their";

/// Subjects that name nothing by themselves.
const EMPTY_SUBJECTS: &str = "code key reason result problem solution difference goal idea answer question way thing point case rest whole \
    output program line lines same best main author authors reader step steps advantage disadvantage trick issue \
    example caveat intent purpose name names error message text value values two three four new others use one \
    body first second third last following only part parts number set concept approach technique process list \
    change changes file files word words fact downside upside default return distinction effect kind type types \
    function functions method methods object loop test tests call calls data user users people team project \
    projects company companies server work benefit thinking note";

/// Openings of a predicate that says nothing about its subject.
const EMPTY_PREDICATES: &str = "great good common bit problem example useful lot mistake situation little topic key same complex way best \
    only most place reason perfect nice big recap case more similar different result first second last next main \
    idea upstream fine fact name convenience official abbreviation term potential recommended deliberate \
    trade-off variants important powerful interesting one";

/// Verbs by which a sentence says what its subject does.
const VERBS: &str = "accept add allow append apply attach block borrow break build call capture cause change check combine \
    compare compile compute connect consume contain control convert copy count create define delete denote \
    dereference describe destroy determine display divide download drop enable encapsulate enforce ensure \
    evaluate execute expand expect express extract filter format generate give group guarantee handle hold \
    implement import increase decrease indicate insert install iterate join keep let limit list lock make manage \
    map match mean measure modify move need open own panic parse permit point prevent print produce protect \
    provide publish read receive reduce refer remove repeat replace represent require return reuse run search \
    send separate serve set share show signal skip sort spawn specify split start stop store support take tell \
    test track transfer transform travel turn update use wait work wrap write yield reflect absorb vibrate rise \
    fall depend consist occur help hide include exclude form belong bind bring close code encode decode fold \
    unfold raise lower divert have slow speed kill feed eat trap release develop strengthen weaken";

/// Class nouns that say what kind of thing a name is.
const CLASSES: &str = "method function macro trait keyword operator command type attribute module crate tool struct enum variant \
    syntax statement expression annotation pattern program library flag option field rule law theorem principle \
    effect filter lifetime prefix symbol interface profile directive register unit property phase stage channel \
    edition lint literal specifier placeholder loop";

fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|one| one == word)
}

/// A word as the lists have it: lower case, one kind of apostrophe, no punctuation around it.
pub(super) fn bare(word: &str) -> String {
    word.replace('\u{2019}', "'").trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Whether a sentence can be understood without its neighbours.
pub(super) fn stands_alone(sentence: &str) -> bool {
    let words: Vec<String> = sentence.split_whitespace().map(bare).collect();
    let Some(first) = words.first() else { return false };
    if has(LEANING, first) || sentence.contains('\n') || sentence.ends_with([':', '?', '!', ';', '{', '}', '\u{2014}'])
    {
        return false;
    }
    if words.iter().any(|word| has(POINTING, word)) || sentence.contains("so far") || sentence.contains(" e.g.") {
        return false;
    }
    let dangling = |(at, word): (usize, &String)| match word.as_str() {
        "this" => true,
        // "that" opens a clause, unless it stands before the end or a verb that it would be the subject of.
        "that" => {
            let before = at.checked_sub(1).and_then(|at| words.get(at)).map(String::as_str).unwrap_or_default();
            words.get(at + 1).is_none() || has("in of for at by with to from on into", before)
        }
        // A pronoun has something to stand for once a subject, a verb and an object are said.
        other => has(THAT_NOUNS, other) && at < 6,
    };
    !words.iter().enumerate().any(dangling)
}

/// Words that no name of a thing holds.
const UNNAMED: &str = "of the in a an within always sometimes whereas is are not never run having shouldn't doesn't can't won't \
    don't that first second third outer inner previous original same other whole entire new final single table \
    arrows also last next require various several different specific certain cannot to you'll we'll";

/// Whether the words before the verb name nothing that could be asked for.
pub(super) fn is_empty_subject(words: &[String], classed: bool) -> bool {
    let last = words.last().map(String::as_str).unwrap_or_default();
    let first = words.first().map(String::as_str).unwrap_or_default();
    if words.len() == 1 && (has(EMPTY_SUBJECTS, last) || last.len() < 3)
        || words.iter().any(String::is_empty) && !classed
    {
        return true;
    }
    // "Traits and trait bounds" is a name, "Rust therefore" is none.
    if !classed && words.iter().any(|word| word != "and" && has(LEANING, word) || word == "therefore") {
        return true;
    }
    let strange =
        |word: &String| has(UNNAMED, word) || has(POINTING, word) || word.ends_with("ly") || word.ends_with("'s");
    words.iter().any(strange) && !(classed && words.len() == 2 && has("in is not of", first))
        || !classed && words.len() > 1 && has(VERBS, first) && !first.ends_with("ing")
        || words.len() > 1 && first.ends_with("ing") && first != "string"
}

pub(super) fn is_empty_predicate(predicate: &str) -> bool {
    let mut words = predicate.split_whitespace().map(bare);
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let third = words.next().unwrap_or_default();
    let noun = if has("a an the", &first) { second.clone() } else { first };
    let adverb = has("very really quite particularly more most useful", &noun);
    has(EMPTY_PREDICATES, if adverb { &third } else { &noun }) || has(EMPTY_PREDICATES, &noun)
}

/// Whether this is a verb that says what something does; and whether its subject is plural.
pub(super) fn verb(word: &str) -> Option<bool> {
    if has(VERBS, word) || word == "can" || word == "must" {
        return (word != "can" && word != "must").then_some(true);
    }
    if word == "has" {
        return Some(false);
    }
    let stem = word.strip_suffix("ies").map(|stem| format!("{stem}y"));
    let stems = [word.strip_suffix('s').map(str::to_owned), word.strip_suffix("es").map(str::to_owned), stem];
    stems.iter().flatten().any(|stem| has(VERBS, stem)).then_some(false)
}

pub(super) fn is_class(word: &str) -> bool {
    has(CLASSES, word) || word.strip_suffix('s').is_some_and(|one| has(CLASSES, one))
}

/// Whether a term names several things.
pub(super) fn plural(term: &str) -> bool {
    let last = term.split_whitespace().last().map(bare).unwrap_or_default();
    last.ends_with('s') && !last.ends_with("ss") && !last.ends_with("us") && !last.ends_with("is") && last.len() > 3
}

/// Whether a term is written like code.
pub(super) fn code(term: &str) -> bool {
    term.contains(['_', ':', '(', '<', '!', '&', '*', '#', '[', '{', '\'', '=', '|', '.', '$', '/', '-', '>'])
        && !term.split('-').all(|part| part.chars().all(char::is_alphabetic) && !part.is_empty())
        || term.chars().zip(term.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase())
}

/// The first letter small, unless the first word is a name or code.
pub(super) fn lower_first(text: &str) -> String {
    let first = text.split_whitespace().next().unwrap_or_default();
    let plain = first.chars().skip(1).all(|c| c.is_lowercase() || c == '\'' || c == '-' || c == '\u{2019}');
    let article = matches!(first, "A" | "An" | "The");
    match text.chars().next() {
        Some(c) if c.is_uppercase() && (article || plain && first.len() > 1) => {
            c.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// The first letter large.
pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
