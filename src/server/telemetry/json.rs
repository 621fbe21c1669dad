//! The lines of the log as JSON.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
    },
    registry::LookupSpan,
};

/// JSON in which what the span knows stands beside what the event says, unless the event says it, too: whoever looks for
/// a reference finds each of its lines at the same place.
pub(super) struct Beside<F>(pub(super) F);

impl<S, F> FormatEvent<S, JsonFields> for Beside<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: FormatEvent<S, JsonFields>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.strip_suffix("}\n").ok_or(fmt::Error)?.len());
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>().map(|fields| fields.fields.as_str());
            let known: Map<String, Value> =
                fields.and_then(|fields| serde_json::from_str(fields).ok()).unwrap_or_default();
            for (name, value) in known {
                // Within a text each quotation mark has a backslash before it.
                let member = format!(",\"{name}\":");
                if !line.contains(&member) {
                    write!(line, "{member}{value}")?;
                }
            }
        }
        line.push_str("}\n");
        writer.write_str(&line)
    }
}
