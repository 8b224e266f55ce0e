//! The error codes of the two application interfaces, and their sentences.
//!
//! SCORM 1.2 RTE 3.3.5 and SCORM 2004 RTE 3.1.7. The rules of this module speak in [`Fault`]s; a
//! code is chosen once, here, because the same number means different things in the two editions.

use super::Edition;

/// Why a call was refused, in the terms of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    AlreadyInitialized,
    InstanceTerminated,
    TerminateBeforeInitialize,
    TerminateTwice,
    GetBeforeInitialize,
    GetAfterTerminate,
    SetBeforeInitialize,
    SetAfterTerminate,
    CommitBeforeInitialize,
    CommitAfterTerminate,
    Argument,
    /// Reading cannot be done: no element named, an index too high.
    Get,
    NoChildren,
    NoCount,
    /// Writing cannot be done: no element named, an index out of order, an identifier taken.
    Set,
    Undefined,
    NotInitialized,
    ReadOnly,
    Keyword,
    WriteOnly,
    Mismatch,
    Range,
    Dependency,
}

impl Fault {
    pub(super) fn code(self, edition: Edition) -> u16 {
        if edition == Edition::V12 { self.v12() } else { self.v2004() }
    }

    fn v12(self) -> u16 {
        match self {
            Self::AlreadyInitialized | Self::InstanceTerminated => 101,
            Self::TerminateBeforeInitialize
            | Self::TerminateTwice
            | Self::GetBeforeInitialize
            | Self::GetAfterTerminate
            | Self::SetBeforeInitialize
            | Self::SetAfterTerminate
            | Self::CommitBeforeInitialize
            | Self::CommitAfterTerminate => 301,
            Self::Argument | Self::Get | Self::Set | Self::Undefined => 201,
            Self::NoChildren => 202,
            Self::NoCount => 203,
            Self::NotInitialized => 0,
            Self::Keyword => 402,
            Self::ReadOnly => 403,
            Self::WriteOnly => 404,
            Self::Mismatch | Self::Range | Self::Dependency => 405,
        }
    }

    fn v2004(self) -> u16 {
        match self {
            Self::AlreadyInitialized => 103,
            Self::InstanceTerminated => 104,
            Self::TerminateBeforeInitialize => 112,
            Self::TerminateTwice => 113,
            Self::GetBeforeInitialize => 122,
            Self::GetAfterTerminate => 123,
            Self::SetBeforeInitialize => 132,
            Self::SetAfterTerminate => 133,
            Self::CommitBeforeInitialize => 142,
            Self::CommitAfterTerminate => 143,
            Self::Argument => 201,
            Self::Get | Self::NoChildren | Self::NoCount => 301,
            Self::Set => 351,
            Self::Undefined => 401,
            Self::NotInitialized => 403,
            Self::ReadOnly | Self::Keyword => 404,
            Self::WriteOnly => 405,
            Self::Mismatch => 406,
            Self::Range => 407,
            Self::Dependency => 408,
        }
    }
}

const V12: &[(u16, &str, &str)] = &[
    (0, "No error", "the last call succeeded"),
    (101, "General exception", "the call does not fit the state of the session: it was begun or ended before"),
    (201, "Invalid argument error", "the argument or the element's name or index is not valid"),
    (202, "Element cannot have children", "\"_children\" was asked of an element without parts"),
    (203, "Element not an array - cannot have count", "\"_count\" was asked of an element that is no list"),
    (301, "Not initialized", "LMSInitialize has to come first, and nothing may follow LMSFinish"),
    (401, "Not implemented error", "this element is not supported"),
    (402, "Invalid set value, element is a keyword", "\"_children\", \"_count\" and \"_version\" cannot be set"),
    (403, "Element is read only", "the element can only be read"),
    (404, "Element is write only", "the element can only be set"),
    (405, "Incorrect Data Type", "the value does not have the form or range of the element"),
];

const V2004: &[(u16, &str, &str)] = &[
    (0, "No Error", "the last call succeeded"),
    (101, "General Exception", "something went wrong that has no code of its own"),
    (102, "General Initialization Failure", "the session could not be begun"),
    (103, "Already Initialized", "Initialize was called before in this session"),
    (104, "Content Instance Terminated", "the session was ended; a new launch begins another"),
    (111, "General Termination Failure", "the session could not be ended"),
    (112, "Termination Before Initialization", "Initialize has to come first"),
    (113, "Termination After Termination", "the session was ended before"),
    (122, "Retrieve Data Before Initialization", "Initialize has to come first"),
    (123, "Retrieve Data After Termination", "nothing can be read after Terminate"),
    (132, "Store Data Before Initialization", "Initialize has to come first"),
    (133, "Store Data After Termination", "nothing can be set after Terminate"),
    (142, "Commit Before Initialization", "Initialize has to come first"),
    (143, "Commit After Termination", "nothing can be committed after Terminate"),
    (201, "General Argument Error", "the argument of Initialize, Terminate and Commit is an empty string"),
    (
        301,
        "General Get Failure",
        "the element cannot be read: no name, an index beyond its list, or a keyword that it lacks",
    ),
    (
        351,
        "General Set Failure",
        "the element cannot be set: no name, an index out of order, or an identifier that is taken",
    ),
    (391, "General Commit Failure", "what was set could not be stored"),
    (401, "Undefined Data Model Element", "no such element"),
    (402, "Unimplemented Data Model Element", "this element is not supported"),
    (403, "Data Model Element Value Not Initialized", "the element has no value yet"),
    (404, "Data Model Element Is Read Only", "the element can only be read"),
    (405, "Data Model Element Is Write Only", "the element can only be set"),
    (406, "Data Model Element Type Mismatch", "the value does not have the form of the element"),
    (407, "Data Model Element Value Out Of Range", "the value is a number outside the element's range"),
    (408, "Data Model Dependency Not Established", "another element, as a rule the id, has to be set first"),
];

fn table(edition: Edition) -> &'static [(u16, &'static str, &'static str)] {
    if edition == Edition::V12 { V12 } else { V2004 }
}

/// The sentence of a code as it came from a script; nothing when there is no such code.
pub(super) fn sentence(edition: Edition, code: &str) -> Option<(&'static str, &'static str)> {
    table(edition).iter().find(|(known, ..)| known.to_string() == code).map(|(_, short, long)| (*short, *long))
}
