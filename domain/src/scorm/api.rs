//! The application interface: eight functions over a data model, and a state that can be stored.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::code::{Fault, sentence};
use super::element::{Access, Element, Model, Name};
use super::interaction;
use super::kind::{self, Kind, real};
use super::standing;
use super::{Edition, Launch, Refused, Set, time};

/// Most bytes of all values of an attempt. What the standard demands at least, all at once, is more;
/// no package that was seen comes near, and a row must stay a row.
pub const LARGEST: usize = 1 << 20;
/// Most entries of a list; the standard's largest smallest permitted maximum is 250.
pub const MOST_ENTRIES: usize = 1000;
/// Most characters of an error's or diagnostic's text (RTE 3.1.5).
const LONGEST_TEXT: usize = 255;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Launched; nothing was called yet.
    NotInitialized,
    /// Between beginning and end.
    Running,
    /// Ended by the script.
    Terminated,
}

/// One session of an attempt, with everything that earlier sessions left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    edition: Edition,
    state: State,
    /// By name with indexes. Every name stands in the edition's table.
    values: BTreeMap<String, String>,
    /// Entries of each list that has any.
    counts: BTreeMap<String, usize>,
    /// What `adl.nav.request_valid` answers.
    navigation: super::Navigation,
    last: u16,
    why: String,
}

impl Api {
    /// The first session of an attempt.
    #[must_use]
    pub fn open(edition: Edition, launch: &Launch) -> Self {
        Self::restored(edition, launch, std::iter::empty())
    }

    /// A session that begins with values which another system or an earlier record kept. Rules of access
    /// do not hold here; a name that the edition does not have is dropped.
    #[must_use]
    pub fn restored(edition: Edition, launch: &Launch, values: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut api = Self {
            edition,
            state: State::NotInitialized,
            values: BTreeMap::new(),
            counts: BTreeMap::new(),
            navigation: super::Navigation::default(),
            last: 0,
            why: String::new(),
        };
        api.keep(api.prefixed("entry"), "ab-initio".into());
        for (index, id) in launch.facts.objectives.iter().enumerate() {
            api.keep(format!("cmi.objectives.{index}.id"), id.clone());
        }
        for (index, id) in launch.facts.shared.iter().enumerate() {
            api.keep(format!("adl.data.{index}.id"), id.clone());
        }
        api.launched(launch);
        for (element, value) in values {
            api.keep(element, value);
        }
        api
    }

    /// The next session of the same attempt: what the last one left, with the learner's time added up.
    /// A session that was cut off before its end is taken up like a suspended one.
    #[must_use]
    pub fn resumed(mut self, launch: &Launch) -> Self {
        let cut_off = self.state != State::Terminated;
        if cut_off {
            self.add_time();
        }
        let entry = if cut_off || self.suspended() { "resume" } else { "" };
        self.keep(self.prefixed("entry"), entry.into());
        for ended in [self.prefixed("exit"), self.prefixed("session_time"), "adl.nav.request".into()] {
            self.values.remove(&ended);
        }
        self.launched(launch);
        self.state = State::NotInitialized;
        (self.last, self.why) = (0, String::new());
        self
    }

    /// Whether the next session goes on with this attempt: it was suspended, or cut off, or it follows
    /// SCORM 1.2, which knows no further attempt.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.edition == Edition::V12 || self.state != State::Terminated || self.suspended()
    }

    /// Whether the script asked to be suspended.
    #[must_use]
    pub fn suspended(&self) -> bool {
        self.kept(&self.prefixed("exit")) == Some("suspend") || self.kept("adl.nav.request") == Some("suspendAll")
    }

    /// Which standard it follows.
    #[must_use]
    pub fn edition(&self) -> Edition {
        self.edition
    }

    /// Where the session is.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Every value by its name, also those that a script may only set.
    #[must_use]
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// What the attempt has come to.
    #[must_use]
    pub fn standing(&self) -> super::Standing {
        standing::of(self)
    }

    /// `LMSInitialize`, `Initialize`.
    pub fn initialize(&mut self, argument: &str) -> bool {
        let done = if argument.is_empty() {
            match self.state {
                State::NotInitialized => Ok(()),
                State::Running => Err(Fault::AlreadyInitialized),
                State::Terminated => Err(Fault::InstanceTerminated),
            }
        } else {
            Err(Fault::Argument)
        };
        if done.is_ok() {
            self.state = State::Running;
        }
        self.answer(done, "").is_some()
    }

    /// `LMSFinish`, `Terminate`: ends the session, adds its time, and in 1.2 settles the status.
    pub fn terminate(&mut self, argument: &str) -> bool {
        let done = match self.state {
            _ if !argument.is_empty() => Err(Fault::Argument),
            State::NotInitialized => Err(Fault::TerminateBeforeInitialize),
            State::Terminated => Err(Fault::TerminateTwice),
            State::Running => Ok(()),
        };
        if done.is_ok() {
            self.add_time();
            if let Some(status) = standing::settled(self) {
                self.keep("cmi.core.lesson_status".into(), status.into());
            }
            self.state = State::Terminated;
        }
        self.answer(done, "").is_some()
    }

    /// `LMSCommit`, `Commit`. Storing is the caller's part.
    pub fn commit(&mut self, argument: &str) -> bool {
        let done = match self.state {
            _ if !argument.is_empty() => Err(Fault::Argument),
            State::NotInitialized => Err(Fault::CommitBeforeInitialize),
            State::Terminated => Err(Fault::CommitAfterTerminate),
            State::Running => Ok(()),
        };
        self.answer(done, "").is_some()
    }

    /// `LMSGetValue`, `GetValue`; the empty string with an error.
    pub fn get(&mut self, element: &str) -> String {
        let found = match self.state {
            State::NotInitialized => Err(Fault::GetBeforeInitialize),
            State::Terminated => Err(Fault::GetAfterTerminate),
            State::Running => self.read(element),
        };
        self.answer(found, element).unwrap_or_default()
    }

    /// `LMSSetValue`, `SetValue`.
    pub fn set(&mut self, element: &str, value: &str) -> bool {
        let done = match self.state {
            State::NotInitialized => Err(Fault::SetBeforeInitialize),
            State::Terminated => Err(Fault::SetAfterTerminate),
            State::Running => self.write(element, value),
        };
        self.answer(done, element).is_some()
    }

    /// `LMSGetLastError`, `GetLastError`.
    #[must_use]
    pub fn last_error(&self) -> u16 {
        self.last
    }

    /// `LMSGetErrorString`, `GetErrorString`; empty for a code that does not exist.
    #[must_use]
    pub fn error_string(&self, code: &str) -> &'static str {
        sentence(self.edition, code).map(|(short, _)| short).unwrap_or_default()
    }

    /// `LMSGetDiagnostic`, `GetDiagnostic`: of the last call for an empty code or its own.
    #[must_use]
    pub fn diagnostic(&self, code: &str) -> String {
        let own = self.last.to_string();
        let code = if code.is_empty() { own.as_str() } else { code };
        if code == own && !self.why.is_empty() {
            return self.why.clone();
        }
        sentence(self.edition, code).map(|(_, long)| long.to_owned()).unwrap_or_default()
    }

    /// Sets values in order, as a script did elsewhere; what is refused is named, the rest is kept.
    pub fn replay(&mut self, values: &[Set]) -> Vec<Refused> {
        let mut refused = Vec::new();
        for (index, set) in values.iter().enumerate() {
            if !self.set(&set.element, &set.value) {
                let element = set.element.chars().take(LONGEST_TEXT).collect();
                refused.push(Refused { index, element, code: self.last, message: self.why.clone() });
            }
        }
        refused
    }

    pub(super) fn kept(&self, element: &str) -> Option<&str> {
        self.values.get(element).map(String::as_str)
    }

    /// `cmi.` or `cmi.core.` and the name, as the edition has it.
    pub(super) fn prefixed(&self, name: &str) -> String {
        if self.edition == Edition::V12 { format!("cmi.core.{name}") } else { format!("cmi.{name}") }
    }

    fn answer<T>(&mut self, outcome: Result<T, Fault>, element: &str) -> Option<T> {
        match outcome {
            Ok(value) => {
                (self.last, self.why) = (0, String::new());
                Some(value)
            }
            Err(fault) => {
                self.last = fault.code(self.edition);
                let long = sentence(self.edition, &self.last.to_string()).map(|(_, long)| long).unwrap_or_default();
                let text = if element.is_empty() { long.to_owned() } else { format!("{long}: \"{element}\"") };
                self.why = text.chars().take(LONGEST_TEXT).collect();
                None
            }
        }
    }

    fn launched(&mut self, launch: &Launch) {
        let (mode, credit) = if launch.browse { ("browse", "no-credit") } else { ("normal", "credit") };
        let fixed: &[(&str, Option<&str>)] = if self.edition == Edition::V12 {
            &[
                ("cmi.core.student_id", Some(&launch.learner_id)),
                ("cmi.core.student_name", Some(&launch.learner_name)),
                ("cmi.core.lesson_mode", Some(mode)),
                ("cmi.core.credit", Some(credit)),
                ("cmi.launch_data", launch.facts.launch_data.as_deref()),
                ("cmi.student_data.mastery_score", launch.facts.mastery_score.as_deref()),
                ("cmi.student_data.max_time_allowed", launch.facts.max_time_allowed.as_deref()),
                ("cmi.student_data.time_limit_action", launch.facts.time_limit_action.as_deref()),
            ]
        } else {
            &[
                ("cmi.learner_id", Some(&launch.learner_id)),
                ("cmi.learner_name", Some(&launch.learner_name)),
                ("cmi.mode", Some(mode)),
                ("cmi.credit", Some(credit)),
                ("cmi.launch_data", launch.facts.launch_data.as_deref()),
                ("cmi.scaled_passing_score", launch.facts.scaled_passing_score.as_deref()),
                ("cmi.completion_threshold", launch.facts.completion_threshold.as_deref()),
                ("cmi.max_time_allowed", launch.facts.max_time_allowed.as_deref()),
                ("cmi.time_limit_action", launch.facts.time_limit_action.as_deref()),
            ]
        };
        for (element, value) in fixed {
            match value {
                Some(value) => self.keep((*element).to_owned(), (*value).to_owned()),
                None => _ = self.values.remove(*element),
            }
        }
        self.navigation = launch.navigation.clone();
    }

    /// Puts a value in its place without asking who sets it; lists grow to hold it.
    fn keep(&mut self, element: String, value: String) {
        let Some(name) = Name::parse(&element) else { return };
        if Model::of(self.edition).element(&name.pattern).is_none() {
            return;
        }
        for (list, index) in name.steps {
            let count = self.counts.entry(list).or_insert(0);
            *count = (*count).max(index + 1);
        }
        self.values.insert(name.path, value);
    }

    fn add_time(&mut self) {
        let (session, total) = (self.prefixed("session_time"), self.prefixed("total_time"));
        let parse = if self.edition == Edition::V12 { time::timespan } else { time::interval };
        let read = |element: &str| self.kept(element).and_then(parse).unwrap_or_default();
        let sum = read(&total).saturating_add(read(&session));
        let text = if self.edition == Edition::V12 { time::timespan_text(sum) } else { time::interval_text(sum) };
        self.keep(total, text);
        self.values.remove(&session);
    }

    fn count(&self, list: &str) -> usize {
        self.counts.get(list).copied().unwrap_or_default()
    }

    fn exists(&self, name: &Name) -> bool {
        name.steps.iter().all(|(list, index)| *index < self.count(list))
    }

    fn read(&self, element: &str) -> Result<String, Fault> {
        if element.is_empty() {
            return Err(Fault::Get);
        }
        if let Some(valid) = self.request_valid(element) {
            return Ok(valid.to_owned());
        }
        let model = Model::of(self.edition);
        let name = Name::parse(element).ok_or(Fault::Undefined)?;
        if let Some((parent, keyword)) = name.parent()
            && keyword.starts_with('_')
        {
            let parent = Name::parse(parent).ok_or(Fault::Undefined)?;
            return self.keyword(model, &parent, keyword);
        }
        let found = model.element(&name.pattern).ok_or(Fault::Undefined)?;
        if found.access == Access::Write {
            return Err(Fault::WriteOnly);
        }
        if !self.exists(&name) {
            return Err(Fault::Get);
        }
        if let Some(evaluated) = standing::evaluated(self, &name.path) {
            return Ok(evaluated.to_owned());
        }
        let value = self.kept(&name.path).or(found.default).ok_or(Fault::NotInitialized)?;
        Ok(value.to_owned())
    }

    fn keyword(&self, model: &Model, parent: &Name, keyword: &str) -> Result<String, Fault> {
        if !model.knows(&parent.pattern) {
            return Err(Fault::Undefined);
        }
        if !self.exists(parent) {
            return Err(Fault::Get);
        }
        match keyword {
            "_version" if parent.pattern == "cmi" => Ok(model.version.to_owned()),
            "_children" => model
                .children
                .iter()
                .find(|(element, _)| *element == parent.pattern)
                .map(|(_, children)| (*children).to_owned())
                .ok_or(Fault::NoChildren),
            "_count" if model.is_list(&parent.pattern) => Ok(self.count(&parent.path).to_string()),
            "_count" => Err(Fault::NoCount),
            "_version" => Err(Fault::Get),
            _ => Err(Fault::Undefined),
        }
    }

    /// The answer to `adl.nav.request_valid`; a target may hold any character, also a full stop.
    fn request_valid(&self, element: &str) -> Option<&'static str> {
        let request = element.strip_prefix("adl.nav.request_valid.").filter(|_| self.edition != Edition::V12)?;
        let word = |known: Option<bool>| known.map_or("unknown", |valid| if valid { "true" } else { "false" });
        let target = |rest: &str| Some(rest.strip_prefix("{target=")?.strip_suffix('}')?.to_owned());
        let choice = |id: &String| self.navigation.targets.as_ref().map(|known| known.contains(id));
        match request.split_once('.') {
            None if request == "continue" => Some(word(self.navigation.next)),
            None if request == "previous" => Some(word(self.navigation.previous)),
            Some(("choice", rest)) => target(rest).map(|id| word(choice(&id))),
            Some(("jump", rest)) if self.edition == Edition::V2004Fourth => target(rest).map(|id| word(choice(&id))),
            _ => None,
        }
    }

    fn write(&mut self, element: &str, value: &str) -> Result<(), Fault> {
        if element.is_empty() {
            return Err(Fault::Set);
        }
        if self.request_valid(element).is_some() {
            return Err(Fault::ReadOnly);
        }
        let model = Model::of(self.edition);
        let name = Name::parse(element).ok_or(Fault::Undefined)?;
        if let Some((parent, "_children" | "_count" | "_version")) = name.parent()
            && Name::parse(parent).is_some_and(|parent| model.knows(&parent.pattern))
        {
            return Err(Fault::Keyword);
        }
        let found = model.element(&name.pattern).ok_or(Fault::Undefined)?;
        if found.access == Access::Read {
            return Err(Fault::ReadOnly);
        }
        self.in_order(&name)?;
        if self.edition != Edition::V12 {
            self.established(&name)?;
        }
        kind::check(found.kind, value)?;
        if self.edition != Edition::V12 {
            self.fits(&name, found, value)?;
        }
        // Comments of 1.2 are gathered, not replaced (RTE 3.4.4).
        let value = match self.kept(&name.path) {
            Some(before) if name.path == "cmi.comments" => format!("{before}{value}"),
            _ => value.to_owned(),
        };
        let others: usize = self
            .values
            .iter()
            .filter(|(path, _)| **path != name.path)
            .map(|(path, value)| path.len() + value.len())
            .sum();
        if others + name.path.len() + value.len() > LARGEST {
            return Err(Fault::Set);
        }
        self.keep(name.path, value);
        Ok(())
    }

    /// Entries are made one after the other; what the system made, it alone adds to.
    fn in_order(&self, name: &Name) -> Result<(), Fault> {
        for (list, index) in &name.steps {
            let count = self.count(list);
            let full = count >= MOST_ENTRIES || list == "adl.data";
            if *index > count || (*index == count && full) {
                return Err(Fault::Set);
            }
        }
        Ok(())
    }

    /// Dependencies of 2004: an entry has its id before anything else, a response the type before it.
    fn established(&self, name: &Name) -> Result<(), Fault> {
        let Some((list, index)) = name.steps.first() else { return Ok(()) };
        if !matches!(list.as_str(), "cmi.objectives" | "cmi.interactions") {
            return Ok(());
        }
        let entry = format!("{list}.{index}");
        let needs_type = name.path.ends_with(".learner_response") || name.path.ends_with(".pattern");
        let lacks = |part: &str| self.kept(&format!("{entry}.{part}")).is_none();
        let is_id = name.path == format!("{entry}.id");
        if !is_id && (lacks("id") || (needs_type && lacks("type"))) {
            return Err(Fault::Dependency);
        }
        Ok(())
    }

    /// What a value has to be besides its type: one of a kind, or in the form of its interaction.
    fn fits(&self, name: &Name, element: &Element, value: &str) -> Result<(), Fault> {
        let Some((list, index)) = name.steps.last() else {
            let jump = value.ends_with("}jump") && self.edition != Edition::V2004Fourth;
            return if element.kind == Kind::Navigation && jump { Err(Fault::Mismatch) } else { Ok(()) };
        };
        let others = |part: &str| -> BTreeSet<&str> {
            (0..self.count(list))
                .filter(|other| other != index)
                .filter_map(|other| self.kept(&format!("{list}.{other}.{part}")))
                .collect()
        };
        match element.path {
            "cmi.objectives.n.id" => {
                let changed = self.kept(&name.path).is_some_and(|before| before != value);
                if changed || others("id").contains(value) { Err(Fault::Set) } else { Ok(()) }
            }
            "cmi.interactions.n.objectives.n.id" if others("id").contains(value) => Err(Fault::Set),
            "cmi.interactions.n.learner_response" => {
                let form = self.kept(&format!("{list}.{index}.type")).unwrap_or_default();
                if interaction::is_response(form, value) { Ok(()) } else { Err(Fault::Mismatch) }
            }
            "cmi.interactions.n.correct_responses.n.pattern" => {
                let entry = list.strip_suffix(".correct_responses").unwrap_or(list);
                let form = self.kept(&format!("{entry}.type")).unwrap_or_default();
                if !interaction::is_pattern(form, value) {
                    return Err(Fault::Mismatch);
                }
                let (most, differ) = interaction::patterns(form);
                let taken = differ && others("pattern").contains(value);
                if *index >= most || taken { Err(Fault::Set) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// The number that an element holds.
    pub(super) fn number(&self, element: &str) -> Option<f64> {
        self.kept(element).and_then(real)
    }
}
