//! Chat templates: a conversation to the text that a model was trained on.
//!
//! The template of a model file is data from outside. It runs without a loader, with a limit of
//! steps and of output; what it cannot do, a template of ours for the architecture does.

use std::io::Write;

use domain::wire::{Message, Role};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value, context};

/// Steps of one rendering; a conversation of a hundred messages takes about 10,000.
const FUEL: u64 = 500_000;
/// The largest prompt that a template may make.
const MAX_OUTPUT: usize = 8 * 1024 * 1024;
/// The longest template that is compiled.
const MAX_TEMPLATE: usize = 256 * 1024;

const CHATML: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const LLAMA2: &str = "{{ bos_token }}{% set s = namespace(system='') %}{% for m in messages %}{% if m.role == 'system' %}{% set s.system = s.system ~ '<<SYS>>\n' ~ m.content ~ '\n<</SYS>>\n\n' %}{% elif m.role == 'user' %}[INST] {{ s.system ~ m.content }} [/INST]{% set s.system = '' %}{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}";
const LLAMA3: &str = "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}";

/// A template that has been tried.
pub(super) struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    thinking: bool,
}

/// What a template needs to know of the model.
pub(super) struct Marks {
    /// Text of the token that begins a text.
    pub(super) bos: String,
    /// Text of the token that ends a reply.
    pub(super) eos: String,
    /// Whether the model may think before it answers, where its template knows of that.
    pub(super) thinking: bool,
}

impl Template {
    /// The template of the model file, or else one of ours, with the reason for people.
    pub(super) fn choose(
        given: Option<&str>,
        has_token: impl Fn(&str) -> bool,
        marks: Marks,
    ) -> Result<(Self, Option<String>), String> {
        let ours = if has_token("<|im_start|>") {
            CHATML
        } else if has_token("<|start_header_id|>") {
            LLAMA3
        } else {
            LLAMA2
        };
        let fallback = Self::compiled(ours, &marks).map_err(|error| error.to_string())?;
        let Some(given) = given else {
            return Ok((fallback, Some("the model has no chat template; one of ours is used".to_owned())));
        };
        let tried = Self::compiled(given, &marks).and_then(|template| {
            let hello = Message { role: Role::User, content: "Hello".to_owned() };
            let text = template.render(std::slice::from_ref(&hello))?;
            if text.contains("Hello") { Ok(template) } else { Err(wrong("it leaves the message out")) }
        });
        Ok(match tried {
            Ok(template) => (template, None),
            Err(error) => {
                let reason: String = error.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
                (fallback, Some(format!("the model's chat template fails ({reason}); one of ours is used")))
            }
        })
    }

    fn compiled(source: &str, marks: &Marks) -> Result<Self, Error> {
        if source.len() > MAX_TEMPLATE {
            return Err(wrong("the template is too long"));
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(method);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> { Err(wrong(message)) });
        environment.add_template_owned("chat", source.to_owned())?;
        Ok(Self { environment, bos: marks.bos.clone(), eos: marks.eos.clone(), thinking: marks.thinking })
    }

    /// The prompt of a conversation, with the begin of the reply.
    pub(super) fn prompt(&self, messages: &[Message]) -> Result<String, String> {
        self.render(messages)
            .or_else(|error| {
                // Some templates know no system message; it then stands before the first question.
                let merged = without_system(messages).ok_or(error)?;
                self.render(&merged)
            })
            .map_err(|error| format!("the chat template fails: {error}"))
    }

    fn render(&self, messages: &[Message]) -> Result<String, Error> {
        let messages: Vec<Value> = messages
            .iter()
            .map(|message| {
                let role = match message.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                context! { role, content => &message.content }
            })
            .collect();
        let context = context! {
            messages,
            add_generation_prompt => true,
            bos_token => &self.bos,
            eos_token => &self.eos,
            enable_thinking => self.thinking,
        };
        let mut output = Limited(Vec::new());
        self.environment.get_template("chat")?.render_captured_to(context, &mut output)?;
        String::from_utf8(output.0).map_err(|_| wrong("the template broke a character"))
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn without_system(messages: &[Message]) -> Option<Vec<Message>> {
    let system: Vec<&str> =
        messages.iter().filter(|m| m.role == Role::System).map(|message| message.content.as_str()).collect();
    if system.is_empty() {
        return None;
    }
    let mut rest: Vec<Message> = messages.iter().filter(|m| m.role != Role::System).cloned().collect();
    let first = rest.iter_mut().find(|message| message.role == Role::User)?;
    first.content = format!("{}\n\n{}", system.join("\n\n"), first.content);
    Some(rest)
}

struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other("the prompt is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The methods of Python's texts and maps that chat templates call.
fn method(_: &mut State, value: &Value, name: &str, arguments: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::new(ErrorKind::UnknownMethod, format!("no method \"{name}\""));
    if value.kind() == ValueKind::Map {
        return match (name, arguments) {
            ("items", []) => {
                let pairs = value.try_iter()?.map(|key| {
                    let item = value.get_item(&key).unwrap_or_default();
                    Value::from(vec![key, item])
                });
                Ok(Value::from(pairs.collect::<Vec<_>>()))
            }
            ("keys", []) => Ok(Value::from(value.try_iter()?.collect::<Vec<_>>())),
            ("get", [key]) => value.get_item(key),
            ("get", [key, other]) => {
                value.get_item(key).map(|found| if found.is_undefined() { other.clone() } else { found })
            }
            _ => Err(unknown()),
        };
    }
    let Some(text) = value.as_str() else { return Err(unknown()) };
    let argument = |at: usize| arguments.get(at).and_then(Value::as_str);
    let set = argument(0).map(|set| set.chars().collect::<Vec<char>>());
    let stripped = |c: char| set.as_ref().map_or_else(|| c.is_whitespace(), |set| set.contains(&c));
    Ok(match (name, arguments.len()) {
        ("strip", 0 | 1) => Value::from(text.trim_matches(stripped)),
        ("lstrip", 0 | 1) => Value::from(text.trim_start_matches(stripped)),
        ("rstrip", 0 | 1) => Value::from(text.trim_end_matches(stripped)),
        ("upper", 0) => Value::from(text.to_uppercase()),
        ("lower", 0) => Value::from(text.to_lowercase()),
        ("startswith", 1) => Value::from(argument(0).is_some_and(|start| text.starts_with(start))),
        ("endswith", 1) => Value::from(argument(0).is_some_and(|end| text.ends_with(end))),
        ("split", 0) => Value::from(text.split_whitespace().map(Value::from).collect::<Vec<_>>()),
        ("split", 1) => match argument(0) {
            Some(by) if !by.is_empty() => Value::from(text.split(by).map(Value::from).collect::<Vec<_>>()),
            _ => return Err(unknown()),
        },
        ("replace", 2) => match (argument(0), argument(1)) {
            (Some(from), Some(to)) if !from.is_empty() => {
                // Replacing is the one call that grows without bound.
                let grown = text.matches(from).count().saturating_mul(to.len()).saturating_add(text.len());
                if grown > MAX_OUTPUT {
                    return Err(wrong("the prompt is too large"));
                }
                Value::from(text.replace(from, to))
            }
            _ => return Err(unknown()),
        },
        _ => return Err(unknown()),
    })
}
