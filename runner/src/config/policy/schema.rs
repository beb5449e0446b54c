//! The JSON Schema of a policy file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::model::JoinPolicy;

/// The schema, draft 2020-12, with the comments of the types as descriptions.
///
/// It accepts every policy that runner accepts. What it cannot say (that names differ, that a component is there) is said by
/// runner alone.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<JoinPolicy>();
    schema.insert("title".to_owned(), "JoinPolicy, runner.dev/v1alpha1".into());
    schema.to_value()
}
