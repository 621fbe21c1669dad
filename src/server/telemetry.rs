//! Logs and metrics. One event is one line, whatever its values hold.

/// What is logged.
mod filter;
/// JSON lines.
mod json;

use std::{
    cell::RefCell,
    fmt::Write as _,
    io::{self, IsTerminal as _},
    panic,
    sync::OnceLock,
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        MakeWriter,
        format::{self, JsonFields},
    },
};

use self::{filter::filter, json::Beside};
use super::{limits, settings::Fault, stderr};

/// Sends events to stderr: JSON lines, or on a terminal lines for people. Panics become events, too.
///
/// # Errors
/// The filter cannot be read, or logging was begun already.
pub fn init() -> Result<(), Fault> {
    let filter = filter(|name| std::env::var_os(name))?;
    let form = if io::stderr().is_terminal() { Form::People } else { Form::Json };
    tracing::subscriber::set_global_default(subscriber(filter, form, stderr::Log))
        .map_err(|error| Fault::new("log", error.to_string(), "begin logging once"))?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Who reads the log.
#[derive(Clone, Copy)]
enum Form {
    Json,
    People,
}

fn subscriber<W>(filter: EnvFilter, form: Form, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(OneLine(writer))
        // They would be printed to standard error past our queue, and that may block or panic.
        .log_internal_errors(false);
    match form {
        Form::Json => {
            let json = format::format().json().flatten_event(true).with_span_list(false).with_current_span(false);
            Box::new(builder.fmt_fields(JsonFields::new()).event_format(Beside(json)).finish())
        }
        Form::People => Box::new(builder.compact().finish()),
    }
}

tokio::task_local! {
    /// Where the last panic in this task happened.
    static PANICKED_AT: RefCell<Option<String>>;
}

/// Runs `future`; with its output comes the place of a panic that was caught within it. Only the hook of [`init`] knows
/// where a panic happens, and only the code that catches it knows the request.
pub(crate) async fn noting_panics<F: Future>(future: F) -> (F::Output, Option<String>) {
    let noted = async {
        let output = future.await;
        (output, PANICKED_AT.with(RefCell::take))
    };
    PANICKED_AT.scope(RefCell::default(), noted).await
}

/// Where it happened. The message stays out: it may quote what was being handled.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    // Within a request it is the detail of the line that has the reference.
    if PANICKED_AT.try_with(|place| place.replace(Some(location.clone()))).is_err() {
        let thread = std::thread::current();
        tracing::error!(code = "internal", location, thread = thread.name().unwrap_or_default(), "panic");
    }
}

/// Escapes what would break a line, colour a terminal or reorder its text. The escapes are JSON's, and JSON has such
/// characters in strings only, so both forms stay what they are.
#[derive(Clone)]
struct OneLine<W>(W);

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }
}

impl<W: io::Write> io::Write for OneLine<W> {
    /// The formatter hands over one whole event at a time, ending in a newline.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = String::with_capacity(text.len() + 1);
        for c in text.chars() {
            let unsafe_in_a_line = c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if unsafe_in_a_line {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            } else {
                line.push(c);
            }
        }
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to record, the first time it is called; always the same recorder.
    #[must_use]
    pub fn install() -> Self {
        static METRICS: OnceLock<Metrics> = OnceLock::new();
        METRICS
            .get_or_init(|| {
                let builder = PrometheusBuilder::new();
                let recorder = builder.set_buckets(&limits::METRICS_BUCKETS).unwrap_or_default().build_recorder();
                let handle = recorder.handle();
                if metrics::set_global_recorder(recorder).is_err() {
                    tracing::warn!("another metrics recorder is installed: no metrics are recorded");
                }
                Self(handle)
            })
            .clone()
    }

    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        // Counted where they are lost, which begins before there is a recorder.
        metrics::counter!("vestibule_log_lines_lost_total").absolute(stderr::lost());
        self.0.render()
    }

    /// Folds recorded samples into their buckets every few seconds, until the future is dropped: else they pile up where nobody
    /// reads the metrics.
    pub async fn keep_up(&self) {
        loop {
            tokio::time::sleep(limits::METRICS_UPKEEP_EVERY).await;
            self.0.run_upkeep();
        }
    }
}

/// What is logged, for tests.
#[cfg(test)]
pub(crate) mod captured {
    use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

    use tracing::{
        Dispatch,
        subscriber::{DefaultGuard, NoSubscriber, set_default},
    };

    use super::{EnvFilter, Form, io, log_panic, panic, subscriber};

    /// What this thread logs, in memory.
    #[derive(Clone, Default)]
    pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

    /// While a process has one subscriber, tracing asks that of the thread that comes first to a line of the program whether
    /// anybody wants it, and remembers the answer for all: lines would be lost here because another test came first to them.
    static NEVER_ALONE: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [NoSubscriber::new(); 2].map(Dispatch::new));

    impl Log {
        /// Takes what this thread logs, from INFO on, until the guard is dropped.
        pub(crate) fn json() -> (Self, DefaultGuard) {
            Self::of(Form::Json)
        }

        pub(super) fn of(form: Form) -> (Self, DefaultGuard) {
            LazyLock::force(&NEVER_ALONE);
            let log = Self::default();
            let writer = log.clone();
            let guard = set_default(subscriber(EnvFilter::new("info"), form, move || writer.clone()));
            (log, guard)
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type PanicHook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync>;

    /// The program's panic hook, until it is dropped. A process has only one, so one test at a time holds it.
    pub(crate) struct Hook {
        before: Option<PanicHook>,
        _turn: MutexGuard<'static, ()>,
    }

    impl Hook {
        pub(crate) fn install() -> Self {
            static TURN: Mutex<()> = Mutex::new(());
            let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let before = panic::take_hook();
            panic::set_hook(Box::new(log_panic));
            Self { before: Some(before), _turn: turn }
        }
    }

    impl Drop for Hook {
        fn drop(&mut self) {
            // A panicking thread may not set the hook, and its test has failed anyway.
            if let Some(before) = self.before.take().filter(|_| !std::thread::panicking()) {
                panic::set_hook(before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        captured::{Hook, Log},
        *,
    };

    fn logged(form: Form, event: impl FnOnce()) -> String {
        let (log, _guard) = Log::of(form);
        event();
        log.text()
    }

    const HOSTILE: &str = "a\r\nb\u{1b}[31mc\u{2028}d\u{9b}e\u{202e}f\"g\\";

    #[test]
    fn an_event_is_one_line_in_both_forms() {
        for form in [Form::Json, Form::People] {
            let text =
                logged(form, || tracing::info!(shown = %HOSTILE, debugged = ?HOSTILE, text = HOSTILE, "{HOSTILE}"));
            assert!(text.ends_with('\n'));
            let line = text.trim_end_matches('\n');
            assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{202e}'), "{line:?}");
        }
    }

    #[test]
    fn json_keeps_the_value() {
        let text = logged(Form::Json, || tracing::info!(text = HOSTILE, "event"));
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["text"], HOSTILE);
        assert_eq!(event["message"], "event");
    }

    #[test]
    fn what_the_span_knows_stands_beside_what_the_event_says_and_once() {
        let text = logged(Form::Json, || {
            let span = tracing::error_span!("sign_in", reference = "7K3M-Q2ZD", provider = "\"op\"");
            span.in_scope(|| {
                tracing::info!(code = "one", "without");
                tracing::info!(code = "two", reference = "7K3M-Q2ZD", detail = "\",\"provider\":\"", "with");
            });
        });
        for line in text.lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&event["reference"], &event["provider"]), (&"7K3M-Q2ZD".into(), &"\"op\"".into()), "{line}");
            assert_eq!(line.matches("7K3M-Q2ZD").count(), 1, "{line}");
        }
    }

    #[test]
    fn a_panic_is_logged_without_its_message() {
        let _hook = Hook::install();
        let text = logged(Form::Json, || {
            assert!(panic::catch_unwind(|| panic!("the secret is hunter2")).is_err());
        });
        assert!(text.contains("\"panic\"") && text.contains("telemetry.rs") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn metrics_are_rendered() {
        let metrics = Metrics::install();
        metrics::counter!("telemetry_test_total").increment(2);
        metrics::histogram!("telemetry_test_seconds").record(0.2);
        Metrics::install().0.run_upkeep();
        let text = metrics.render();
        assert!(text.contains("telemetry_test_total 2"), "{text}");
        assert!(text.contains("telemetry_test_seconds_bucket{le=\"0.25\"} 1"), "{text}");
    }
}
