//! The JSON Schemas (2020-12) of a spec and of the file of a suite, for editors: made from the tables of fields that the parsers read.

use super::fields::GROUPS;
use super::group::{Field, Group, Shape};
use super::suite::SUITE_GROUPS;
use serde_json::{Map, Value, json};

/// A number that a variable may stand for has no other form than text.
const VARIABLE: &str = r"\$\{[A-Za-z0-9_.-]+\}";

/// The schema of a whole spec; every mapping with known fields is an entry of `$defs`.
pub fn json_schema() -> Value {
    schema("shadowdiff spec", GROUPS, &example())
}

/// The schema of the file of a suite.
pub fn suite_json_schema() -> Value {
    schema("shadowdiff suite", &suite_groups(), &suite_example())
}

fn suite_groups() -> Vec<&'static Group> {
    SUITE_GROUPS.iter().chain(GROUPS).copied().collect()
}

/// Of the first group; the others stand below it.
fn schema(title: &str, groups: &[&Group], example: &Value) -> Value {
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), title.into());
    let (root, others) = groups.split_first().expect("a schema is of some group");
    schema.extend(group(root));
    schema.insert("examples".to_owned(), json!([example]));
    schema.insert(
        "$defs".to_owned(),
        others
            .iter()
            .map(|other| (other.name.to_owned(), Value::Object(group(other))))
            .collect(),
    );
    Value::Object(schema)
}

fn suite_example() -> Value {
    json!({
        "name": "nightly",
        "output": "s3://results/${day}/",
        "folders": {"live": "s3://prod/{task}/day=${day}/", "shadow": "s3://new/{task}/day=${day}/", "skip": ["tmp_*"]},
        "defaults": {"account": "account_id", "verdict": {"max_exceptions": 0}},
        "tasks": [{"name": "scores", "spec": "scores.yaml", "set": {"day": "${day}"}, "after": ["raw"]}],
        "same_inputs": [{"name": "raw", "live": "s3://prod/raw/", "shadow": "s3://new/raw/", "account": "account_id"}]
    })
}

fn example() -> Value {
    json!({
        "live": "s3://prod/metrics/date=${date}/",
        "shadow": "s3://shadow/metrics/date=${date}/",
        "account": "account_id",
        "key": ["account_id", "metric"],
        "comparators": [{"columns": ["health_score"], "relative": "5%"}],
        "expected": [{
            "name": "trial-score-fix",
            "accounts": {"where": "plan = 'trial'"},
            "columns": ["health_score"],
            "within": {"relative": "20%"}
        }],
        "verdict": {"max_exceptions": 0},
        "output": "s3://results/${date}/"
    })
}

fn group(group: &Group) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("description".to_owned(), group.about.into());
    schema.insert("type".to_owned(), "object".into());
    schema.insert(
        "properties".to_owned(),
        group.fields.iter().map(|field| (field.name.to_owned(), property(field))).collect(),
    );
    let required: Vec<Value> = group
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name.into())
        .collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.insert("additionalProperties".to_owned(), false.into());
    schema
}

fn property(field: &Field) -> Value {
    let mut property = json!({"description": field.about});
    if let (Value::Object(property), Value::Object(shape)) = (&mut property, shape(&field.shape)) {
        property.extend(shape);
    }
    property
}

fn shape(value: &Shape) -> Value {
    match value {
        // Names and paths may look like numbers: they are read as the text that is written.
        Shape::Text => json!({"type": ["string", "number"], "minLength": 1}),
        Shape::Value => json!({"type": ["string", "number", "boolean"]}),
        Shape::Sql => json!({"type": ["string", "boolean"], "minLength": 1}),
        Shape::Flag => json!({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": format!("^{VARIABLE}$")}]}),
        Shape::Count => number_or("integer", "[0-9]+"),
        Shape::Limit => number_or("integer", r"([0-9]+|\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *%)"),
        Shape::Tolerance => number_or("number", r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?( *%)?"),
        Shape::Duration => text(r" *(([0-9]+\.?[0-9]*|\.[0-9]+) *(ms|s|m|h|d) *)+"),
        Shape::Day => text("[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        Shape::Character => text(r"(\\t|[\x00-\x7f])"),
        Shape::Type => {
            json!({"type": "string", "minLength": 1, "examples": ["int", "decimal(18,2)", "double", "text", "bool", "date", "timestamp(us, UTC)"]})
        }
        Shape::Word(words) => json!({"anyOf": [{"enum": words()}, {"type": "string", "pattern": VARIABLE}]}),
        Shape::List(item) => json!({"type": "array", "items": shape(item)}),
        Shape::Filled(item) => json!({"type": "array", "items": shape(item), "minItems": 1}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": shape(value)}),
        Shape::Group(group) => json!({"$ref": format!("#/$defs/{}", group.name)}),
        Shape::Sides(both) => sides(both),
        Shape::AnyOf(shapes) => json!({"anyOf": shapes.iter().map(shape).collect::<Vec<_>>()}),
    }
}

fn number_or(kind: &str, pattern: &str) -> Value {
    json!({"anyOf": [{"type": kind, "minimum": 0}, text(pattern)]})
}

/// A text of a form, or one that a variable is part of.
fn text(pattern: &str) -> Value {
    json!({"type": "string", "pattern": format!("^({pattern})$|{VARIABLE}")})
}

fn sides(both: &Shape) -> Value {
    let one = shape(both);
    json!({
        "anyOf": [
            one,
            {"type": "object", "properties": {"live": one, "shadow": one}, "additionalProperties": false, "minProperties": 1}
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each schema, with its groups and its golden file.
    fn all() -> [(Value, Vec<&'static Group>, &'static str); 2] {
        [
            (json_schema(), GROUPS.to_vec(), "spec.schema.json"),
            (suite_json_schema(), suite_groups(), "suite.schema.json"),
        ]
    }

    #[test]
    fn the_schema_has_the_fields_of_the_parser_at_every_level() {
        for (schema, groups, _) in all() {
            for (at, group) in groups.iter().enumerate() {
                let object = if at == 0 { &schema } else { &schema["$defs"][group.name] };
                let properties = object["properties"].as_object().expect("properties");
                let properties: Vec<&str> = properties.keys().map(String::as_str).collect();
                assert_eq!(properties, group.names().collect::<Vec<_>>(), "{}", group.name);
                assert_eq!(object["additionalProperties"], json!(false), "{}", group.name);
            }
        }
    }

    #[test]
    fn every_reference_is_defined_and_every_definition_is_used() {
        for (schema, groups, _) in all() {
            let text = schema.to_string();
            for group in groups.iter().skip(1) {
                let is_used = text.contains(&format!("\"#/$defs/{}\"", group.name));
                assert!(is_used, "{} is never used", group.name);
            }
            for part in text.split("\"#/$defs/").skip(1) {
                let name = part.split('"').next().expect("a name");
                assert!(groups.iter().any(|group| group.name == name), "{name} is not defined");
            }
        }
    }

    #[test]
    fn the_schemas_are_the_golden_ones() {
        for (schema, _, golden) in all() {
            let path = format!("{}/tests/golden/{golden}", env!("CARGO_MANIFEST_DIR"));
            let now = serde_json::to_string_pretty(&schema).expect("JSON") + "\n";
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&path, &now).expect("the golden file is written");
            }
            let golden = std::fs::read_to_string(&path).expect("the golden file; UPDATE_GOLDEN=1 writes it");
            assert_eq!(now, golden, "run with UPDATE_GOLDEN=1 if the change is meant");
        }
    }
}
