//! Writes the schema of an Avro file anew, so that the decoder has nothing to resolve and nothing to guess.
//!
//! Each reference to a named type becomes a copy of that type, under a name that nothing else has: names are resolved here,
//! by namespace, as the specification says. A logical type is kept where it is valid and changes what a value means; others
//! are, by the specification, what they are stored as, and the text of a `uuid` is text. A union of one branch becomes that
//! branch, nullable: its values begin with the number 0 in either form.

use super::project::{Projection, Skip};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Types in one schema, counted where they are used. Names used again and again could make a small schema a giant.
const MAX_TYPES: usize = 100_000;
/// The longest fixed that the decoder takes for a decimal, and the most digits.
const MAX_DECIMAL_BYTES: u64 = 32;
const MAX_DECIMAL_DIGITS: u64 = 76;
const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// A schema that says the same with no references.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) json: String,
    /// Fields of the records that can be passed over only, and why.
    pub(super) refused: BTreeMap<String, String>,
    /// Of those, the ones that the decoder cannot pass over either: they are not in the schema.
    pub(super) taken_out: Vec<String>,
    /// How to take them out of the blocks; `None` where there are none.
    pub(super) projection: Option<Projection>,
}

/// Rewrites the schema in a file's header. The error is why the file cannot be read at all.
pub(super) fn plain(schema: &[u8]) -> Result<Plain, String> {
    let schema: Value = serde_json::from_slice(schema).map_err(|e| format!("its schema is not JSON: {e}"))?;
    let mut names = Names {
        known: BTreeMap::new(),
        types: 0,
        refused: None,
        contains_itself: false,
    };
    let record = schema
        .as_object()
        .filter(|record| record.get("type").is_some_and(|kind| kind == "record"));
    let Some(record) = record else {
        return Err("it holds single values: only files of records have columns".into());
    };
    let space = full_name(record, "")?.space;
    names.note(&schema, "")?;
    let (mut refused, mut taken_out, mut fields) = (BTreeMap::new(), Vec::new(), Vec::new());
    for field in fields_of(record)? {
        let name = text(field, "name")?;
        match names.written(stored_type(field)?, &space, &mut Vec::new()) {
            Ok(written) => fields.push(json!({"name": name, "type": written})),
            Err(why) if std::mem::take(&mut names.contains_itself) => {
                refused.insert(name.to_owned(), why);
                taken_out.push(name.to_owned());
            }
            Err(why) => return Err(format!("field `{name}` {why}")),
        }
        if let Some(why) = names.refused.take() {
            refused.entry(name.to_owned()).or_insert(why);
        }
    }
    let projection = (!taken_out.is_empty())
        .then(|| names.projection(record, &space, &taken_out))
        .transpose()?;
    let plain = json!({"type": "record", "name": "row", "fields": fields});
    Ok(Plain {
        json: plain.to_string(),
        refused,
        taken_out,
        projection,
    })
}

/// A full name, cut at its last dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FullName {
    space: String,
    name: String,
}

impl FullName {
    /// A name with a dot is full; any other is of the namespace around it.
    fn of(name: &str, space: &str) -> Self {
        let (space, name) = name.rsplit_once('.').unwrap_or((space, name));
        FullName {
            space: space.to_owned(),
            name: name.to_owned(),
        }
    }
}

fn full_name(named: &Map<String, Value>, around: &str) -> Result<FullName, String> {
    let own = named.get("namespace").and_then(Value::as_str);
    Ok(FullName::of(text(named, "name")?, own.unwrap_or(around)))
}

/// The named types of a schema.
struct Names {
    known: BTreeMap<FullName, Value>,
    types: usize,
    /// Why the field that is being written can be passed over only.
    refused: Option<String>,
    /// Whether writing it ended at a type that contains itself.
    contains_itself: bool,
}

impl Names {
    /// Finds the named types of a schema, wherever they are defined.
    fn note(&mut self, schema: &Value, space: &str) -> Result<(), String> {
        match schema {
            Value::Array(branches) => branches.iter().try_for_each(|branch| self.note(branch, space)),
            Value::Object(object) => match stored_type(object)? {
                Value::String(kind) if is_named(kind) => {
                    let name = full_name(object, space)?;
                    let inside = name.space.clone();
                    if self
                        .known
                        .insert(name.clone(), schema.clone())
                        .is_some_and(|before| before != *schema)
                    {
                        return Err(format!("its schema defines `{}` twice", shown(&name)));
                    }
                    let fields = if kind == "record" || kind == "error" {
                        fields_of(object)?
                    } else {
                        Vec::new()
                    };
                    fields.iter().try_for_each(|field| self.note(stored_type(field)?, &inside))
                }
                Value::String(_) => {
                    let parts = [object.get("items"), object.get("values")];
                    parts.into_iter().flatten().try_for_each(|part| self.note(part, space))
                }
                inner => self.note(inner, space),
            },
            _ => Ok(()),
        }
    }

    /// A type without references; `around` are the named types that it stands in.
    fn written(&mut self, schema: &Value, space: &str, around: &mut Vec<FullName>) -> Result<Value, String> {
        self.types += 1;
        if self.types > MAX_TYPES {
            return Err(format!("is of a type of more than {MAX_TYPES} parts"));
        }
        match schema {
            Value::String(name) if PRIMITIVES.contains(&name.as_str()) => Ok(schema.clone()),
            Value::String(name) => self.referred(name, space, around),
            Value::Array(branches) => self.union(branches, space, around),
            Value::Object(object) => match stored_type(object)? {
                Value::String(kind) if is_named(kind) => {
                    let name = full_name(object, space)?;
                    self.named(&name, object, around)
                }
                Value::String(kind) if kind == "array" => {
                    Ok(json!({"type": "array", "items": self.written(part(object, "items")?, space, around)?}))
                }
                Value::String(kind) if kind == "map" => {
                    Ok(json!({"type": "map", "values": self.written(part(object, "values")?, space, around)?}))
                }
                Value::String(kind) if PRIMITIVES.contains(&kind.as_str()) => Ok(with_logical_type(json!({"type": kind}), object)),
                inner => self.written(inner, space, around),
            },
            _ => Err("has a type that is neither a name, a list nor an object".into()),
        }
    }

    /// The type of a name: of the namespace around it, or of none.
    fn referred(&mut self, name: &str, space: &str, around: &mut Vec<FullName>) -> Result<Value, String> {
        let (name, object) = self.found(name, space)?;
        self.named(&name, &object, around)
    }

    fn found(&self, name: &str, space: &str) -> Result<(FullName, Map<String, Value>), String> {
        let names = [FullName::of(name, space), FullName::of(name, "")];
        let found = names
            .into_iter()
            .find_map(|name| Some((name.clone(), self.known.get(&name)?.clone())));
        match found {
            Some((name, Value::Object(object))) => Ok((name, object)),
            _ => Err(format!("is of type `{name}`, which the schema does not define")),
        }
    }

    fn named(&mut self, name: &FullName, object: &Map<String, Value>, around: &mut Vec<FullName>) -> Result<Value, String> {
        if around.contains(name) {
            self.contains_itself = true;
            return Err(format!("is of the type `{}`, which contains itself", shown(name)));
        }
        let unique = format!("t{}", self.types);
        match text(object, "type")? {
            "enum" => Ok(json!({"type": "enum", "name": unique, "symbols": part(object, "symbols")?})),
            "fixed" => Ok(with_logical_type(
                json!({"type": "fixed", "name": unique, "size": part(object, "size")?}),
                object,
            )),
            _ => {
                around.push(name.clone());
                let mut fields = Vec::new();
                for field in fields_of(object)? {
                    let written = self.written(stored_type(field)?, &name.space, around)?;
                    fields.push(json!({"name": text(field, "name")?, "type": written}));
                }
                around.pop();
                Ok(json!({"type": "record", "name": unique, "fields": fields}))
            }
        }
    }

    fn union(&mut self, branches: &[Value], space: &str, around: &mut Vec<FullName>) -> Result<Value, String> {
        let values = branches.iter().filter(|branch| *branch != "null").count();
        let mut written: Vec<Value> = branches
            .iter()
            .map(|branch| self.written(branch, space, around))
            .collect::<Result<_, _>>()?;
        if values == 1 && branches.len() == 1 {
            written.push("null".into());
        } else if values != 1 || branches.len() > 2 {
            self.refused = Some(format!("is a union of {values} types besides null"));
        }
        Ok(Value::Array(written))
    }
}

/// How to get past values: types as they are stored, references and all.
impl Names {
    fn projection(&self, record: &Map<String, Value>, space: &str, taken_out: &[String]) -> Result<Projection, String> {
        let mut skips = Skips::default();
        let fields = fields_of(record)?.into_iter().map(|field| {
            let is_kept = !taken_out
                .iter()
                .any(|name| field.get("name").is_some_and(|own| own == name.as_str()));
            Ok((self.skip(stored_type(field)?, space, &mut skips)?, is_kept))
        });
        Ok(Projection {
            fields: fields.collect::<Result<_, String>>()?,
            named: skips.named,
        })
    }

    fn skip(&self, schema: &Value, space: &str, skips: &mut Skips) -> Result<Skip, String> {
        match schema {
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.skip(branch, space, skips));
                Ok(Skip::Union(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(object) => match stored_type(object)? {
                Value::String(kind) if is_named(kind) => self.skip_named(&full_name(object, space)?, object, skips),
                Value::String(kind) if kind == "array" => Ok(Skip::List(Box::new(self.skip(part(object, "items")?, space, skips)?))),
                Value::String(kind) if kind == "map" => Ok(Skip::Map(Box::new(self.skip(part(object, "values")?, space, skips)?))),
                inner => self.skip(inner, space, skips),
            },
            Value::String(name) => match name.as_str() {
                "null" => Ok(Skip::Nothing),
                "boolean" => Ok(Skip::Fixed(1)),
                "int" | "long" => Ok(Skip::Number),
                "float" => Ok(Skip::Fixed(4)),
                "double" => Ok(Skip::Fixed(8)),
                "bytes" | "string" => Ok(Skip::Sized),
                name => {
                    let (name, object) = self.found(name, space)?;
                    self.skip_named(&name, &object, skips)
                }
            },
            _ => Err("has a type that is neither a name, a list nor an object".into()),
        }
    }

    fn skip_named(&self, name: &FullName, object: &Map<String, Value>, skips: &mut Skips) -> Result<Skip, String> {
        if let Some(number) = skips.numbers.get(name) {
            return Ok(Skip::Named(*number));
        }
        let number = skips.named.len();
        skips.numbers.insert(name.clone(), number);
        skips.named.push(Skip::Nothing);
        let skip = match text(object, "type")? {
            "enum" => Skip::Number,
            "fixed" => Skip::Fixed(
                part(object, "size")?
                    .as_u64()
                    .ok_or("its schema has a 'size' that is not a number")?,
            ),
            _ => {
                let fields = fields_of(object)?
                    .into_iter()
                    .map(|field| self.skip(stored_type(field)?, &name.space, skips));
                Skip::Record(fields.collect::<Result<_, String>>()?)
            }
        };
        skips.named[number] = skip;
        Ok(Skip::Named(number))
    }
}

/// The named types so far, and the number of each.
#[derive(Debug, Default)]
struct Skips {
    numbers: BTreeMap<FullName, usize>,
    named: Vec<Skip>,
}

fn is_named(kind: &str) -> bool {
    matches!(kind, "record" | "error" | "enum" | "fixed")
}

/// A type with what its definition says of how values are meant, if that is valid.
fn with_logical_type(mut plain: Value, definition: &Map<String, Value>) -> Value {
    let logical = definition.get("logicalType").and_then(Value::as_str).unwrap_or_default();
    let kind = plain["type"].as_str().unwrap_or_default();
    let size = plain["size"].as_u64().unwrap_or(u64::MAX);
    let is_valid = match (kind, logical) {
        ("int", "date" | "time-millis") | ("long", "time-micros" | "timestamp-millis" | "timestamp-micros" | "timestamp-nanos") => true,
        ("long", "local-timestamp-millis" | "local-timestamp-micros" | "local-timestamp-nanos") => true,
        ("fixed", "duration") => size == 12,
        ("bytes", "decimal") => decimal_digits(definition).is_some(),
        ("fixed", "decimal") => decimal_digits(definition).is_some_and(|digits| size <= MAX_DECIMAL_BYTES && digits <= digits_of(size)),
        (_, _) => false,
    };
    if is_valid {
        for name in ["logicalType", "precision", "scale"] {
            if let Some(value) = definition.get(name) {
                plain[name] = value.clone();
            }
        }
    }
    plain
}

/// The digits of a decimal that is defined as it should be.
fn decimal_digits(definition: &Map<String, Value>) -> Option<u64> {
    let digits = definition.get("precision")?.as_u64()?;
    let scale = definition.get("scale").map_or(Some(0), Value::as_u64)?;
    ((1..=MAX_DECIMAL_DIGITS).contains(&digits) && scale <= digits).then_some(digits)
}

/// How many decimal digits always fit a signed number of so many bytes.
fn digits_of(bytes: u64) -> u64 {
    ((bytes as f64 * 8.0 - 1.0) * 2.0f64.log10()) as u64
}

fn shown(name: &FullName) -> String {
    if name.space.is_empty() {
        name.name.clone()
    } else {
        format!("{}.{}", name.space, name.name)
    }
}

fn stored_type(object: &Map<String, Value>) -> Result<&Value, String> {
    part(object, "type")
}

fn fields_of(record: &Map<String, Value>) -> Result<Vec<&Map<String, Value>>, String> {
    let fields = part(record, "fields")?
        .as_array()
        .ok_or("its schema has a record whose fields are not a list")?;
    let objects = fields.iter().map(|field| {
        field
            .as_object()
            .ok_or_else(|| "its schema has a field that is not an object".to_owned())
    });
    objects.collect()
}

fn part<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    object.get(name).ok_or_else(|| format!("its schema has a type without `{name}`"))
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    part(object, name)?
        .as_str()
        .ok_or_else(|| format!("its schema has a `{name}` that is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(fields: &Value) -> Result<Plain, String> {
        let schema = json!({"type": "record", "name": "r", "namespace": "a", "fields": fields});
        plain(schema.to_string().as_bytes())
    }

    /// The types of the fields `f`, `g`, … of a record in the namespace `a`.
    fn types(types: &[Value]) -> Vec<Value> {
        let fields: Vec<Value> = types
            .iter()
            .zip('f'..)
            .map(|(t, name)| json!({"name": name.to_string(), "type": t}))
            .collect();
        let written = rewritten(&Value::Array(fields)).expect("can be rewritten");
        let schema: Value = serde_json::from_str(&written.json).expect("is JSON");
        let fields = schema["fields"].as_array().expect("has fields").clone();
        fields.into_iter().map(|mut field| field["type"].take()).collect()
    }

    #[test]
    fn a_name_is_found_by_the_namespace_around_it() {
        let symbols = |symbol: &str| json!([symbol]);
        let found = types(&[
            json!({"type": "enum", "name": "S", "symbols": ["here"]}),
            json!({"type": "record", "name": "b.R", "fields": [
                {"name": "x", "type": {"type": "enum", "name": "S", "symbols": ["there"]}}, {"name": "y", "type": "S"}]}),
            json!("S"),
            json!("b.S"),
            json!({"type": "array", "items": ["null", "a.S"]}),
        ]);
        assert_eq!(found[2]["symbols"], symbols("here"));
        assert_eq!(found[3]["symbols"], symbols("there"));
        assert_eq!(found[1]["fields"][1]["type"]["symbols"], symbols("there"));
        assert_eq!(found[4]["items"][1]["symbols"], symbols("here"));
        assert_ne!(found[0]["name"], found[2]["name"]);
    }

    #[test]
    fn only_valid_logical_types_are_kept() {
        let logical = |t: &Value| types(std::slice::from_ref(t))[0]["logicalType"].clone();
        for (t, kept) in [
            (json!({"type": "string", "logicalType": "uuid"}), false),
            (json!({"type": "int", "logicalType": "date"}), true),
            (json!({"type": "long", "logicalType": "date"}), false),
            (json!({"type": "bytes", "logicalType": "decimal"}), false),
            (
                json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 5}),
                false,
            ),
            (json!({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}), true),
            (
                json!({"type": "fixed", "name": "n", "size": 2, "logicalType": "decimal", "precision": 4}),
                true,
            ),
            (
                json!({"type": "fixed", "name": "n", "size": 2, "logicalType": "decimal", "precision": 5}),
                false,
            ),
            (json!({"type": "fixed", "name": "n", "size": 12, "logicalType": "duration"}), true),
            (json!({"type": "fixed", "name": "n", "size": 8, "logicalType": "duration"}), false),
        ] {
            assert_eq!(logical(&t).is_string(), kept, "{t}");
        }
    }

    #[test]
    fn unions_of_several_types_are_refused_by_name() {
        let field = |t: Value| json!([{"name": "u", "type": t}]);
        for (t, refused) in [
            (json!(["null", "int"]), false),
            (json!(["int"]), false),
            (json!(["int", "string"]), true),
            (json!(["null", "int", "string"]), true),
            (json!({"type": "array", "items": ["int", "string"]}), true),
            (json!(["null"]), true),
        ] {
            let written = rewritten(&field(t.clone())).expect("can be rewritten");
            assert_eq!(written.refused.contains_key("u"), refused, "{t}");
        }
        assert_eq!(types(&[json!(["int"])])[0], json!(["int", "null"]));
    }

    #[test]
    fn a_type_that_contains_itself_is_taken_out() {
        let node = json!({"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]});
        let written = rewritten(&json!([{"name": "tree", "type": node}, {"name": "x", "type": "int"}])).expect("can be rewritten");
        assert!(written.refused["tree"].contains("a.Node"), "{:?}", written.refused);
        assert_eq!(written.taken_out, ["tree"]);
        let projection = Projection {
            fields: vec![(Skip::Named(0), false), (Skip::Number, true)],
            named: vec![Skip::Record(vec![Skip::Union(vec![Skip::Nothing, Skip::Named(0)])])],
        };
        assert_eq!(written.projection, Some(projection));
    }
}
