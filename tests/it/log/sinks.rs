//! Where the log goes: whatever that is and whatever becomes of it, people sign in and the program ends when it is asked
//! to. What cannot be written is lost and counted.
#![cfg(target_os = "linux")]

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe},
    net::Ipv4Addr,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{fs::OpenOptionsExt as _, net::UnixStream},
    },
    process::{Command, Output, Stdio},
};

use test_provider::{Profile, ProviderConfig};

use super::prepared;
use crate::support::{
    browser::Browser,
    people::{Person, Site},
    process::{Program, Stderr, THIS},
    wait::eventually,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 5, 6, 7);
const LOST: &str = "vestibule_log_lines_lost_total ";
/// Bytes that a pipe holds, unless its capacity was changed.
const PIPE: usize = 64 * 1024;
/// As Linux has it, wherever this runs.
const O_NONBLOCK: i32 = 0o4000;

/// Lines that the program says it has lost.
async fn lost(program: &Program) -> u64 {
    let metrics = Browser::default().get(&format!("http://{}/metrics", program.admin)).await;
    let line = metrics.body.lines().find_map(|line| line.strip_prefix(LOST));
    line.unwrap_or_else(|| panic!("not counted: {}", metrics.body)).parse().unwrap()
}

/// Lines that it has lost, once there are this many: the thread that writes the log comes after the people.
async fn lost_at_least(program: &Program, lines: u64) {
    eventually("lines are lost", || async { (lost(program).await >= lines).then_some(()) }).await;
}

/// Returns once lines are lost: each request is one.
async fn lose_lines(program: &Program, site: &Site) {
    let browser = Browser::default();
    eventually("lines are lost", || async {
        for _ in 0..50 {
            browser.get(&format!("{}/auth/oidc/callback", site.origin)).await;
        }
        (lost(program).await > 0).then_some(())
    })
    .await;
}

/// People sign in at the program, it answers, loses at least so many lines, and ends when it is asked to. `fill`: it is
/// made to lose some before.
async fn goes_on(stderr: Stderr, fill: bool, lines: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, site, _provider) = prepared(folder.path(), ProviderConfig::new(Profile::Standard)).await;
    program.start_logging_to(stderr).await;
    let mut person = Person::behind(&site, 0, ADDRESS);
    if fill {
        lose_lines(&program, &site).await;
    }
    for _ in 0..2 {
        person.sign_in().await;
        person.sign_out().await;
    }
    assert_eq!(Browser::default().get(&format!("{}/healthz", site.origin)).await.status, 200);
    lost_at_least(&program, lines).await;
    program.ask_to_end().await;
    assert_eq!(program.ended().await, 0);
}

/// started, start, signed_in, delivered, signed_out, and once more but the first
const TWO_SIGN_INS: u64 = 9;

/// A pipe with no room left.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(&[b'\n'; PIPE]).unwrap();
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_written_ends_nothing_and_is_counted() {
    let (reader, without_reader) = pipe().unwrap();
    drop(reader);
    let (peer, without_peer) = UnixStream::pair().unwrap();
    drop(peer);
    let sinks: [(&str, Stdio); 4] = [
        ("a full disk", OpenOptions::new().write(true).open("/dev/full").unwrap().into()),
        ("a pipe whose reader has ended", without_reader.into()),
        ("a socket whose peer is gone", OwnedFd::from(without_peer).into()),
        ("a descriptor that is only read", File::open("/dev/null").unwrap().into()),
    ];
    for (sink, stdio) in sinks {
        println!("{sink}");
        goes_on(Stderr::Given(stdio), false, TWO_SIGN_INS).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_at_the_limit_of_its_size_ends_nothing_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("full.log");
    // Sparse; more than so many blocks, whatever the shell calls a block. The database stays below.
    File::create(&log).unwrap().set_len(8 << 20).unwrap();
    goes_on(Stderr::Full(log, 4096), false, TWO_SIGN_INS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_that_nobody_reads_holds_nobody() {
    let (_reader, writer) = full_pipe();
    goes_on(Stderr::Given(writer.into()), true, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pipe_that_does_not_block_holds_nobody() {
    let (_reader, writer) = full_pipe();
    let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let writer = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(path).unwrap();
    goes_on(Stderr::Given(writer.into()), true, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_is_said_once_the_log_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut program, site, _provider) = prepared(folder.path(), ProviderConfig::new(Profile::Standard)).await;
    let (reader, writer) = full_pipe();
    program.start_logging_to(Stderr::Given(writer.into())).await;
    lose_lines(&program, &site).await;
    let lost = lost(&program).await;
    // Read from now on, first up to the line that says so.
    let mut lines = BufReader::new(reader).lines().map(Result::unwrap);
    let read = move || {
        let mut before = Vec::new();
        let said =
            lines.by_ref().inspect(|line| before.push(line.clone())).find(|line| line.contains("log_lines_lost"));
        (before, said.unwrap(), lines)
    };
    let (before, said, lines) = tokio::task::spawn_blocking(read).await.unwrap();
    assert!(said.contains(&format!("\"lines\":{lost},")) && said.contains("WARN"), "{lost}: {said}");
    assert!(before.iter().any(|line| line.contains(r#""code":"started""#)), "the first line");
    program.ask_to_end().await;
    assert_eq!(program.ended().await, 0);
    let after: Vec<_> = lines.collect();
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(after[0].contains(r#""code":"stopping""#), "the last line: {after:?}");
}

/// How the program ends with these arguments, and what it prints.
fn run(arguments: &[&str], filter: &str, stdout: Stdio, stderr: Stdio) -> Output {
    let mut command = Command::new(THIS);
    command.args(arguments).env_clear().env("VESTIBULE_LOG", filter).stdin(Stdio::null());
    command.stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_mistake_is_said_in_full_where_that_is_possible_and_has_its_status_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no.toml");
    let file = folder.path().join("many.toml");
    // Every line a fault.
    fs::write(&file, (0..500).map(|n| format!("key_{n} = 1\n")).collect::<String>()).unwrap();
    let [nowhere, file] = [&nowhere, &file].map(|path| path.to_str().unwrap());
    let mistakes: [(&[&str], &str, &str); 4] = [
        (&["serve", "--config", nowhere], "", "no.toml"),
        (&["serve", "--config", file], "", "key_499"),
        (&["--unknown"], "", "Usage"),
        (&["serve"], "a=b=c", "VESTIBULE_LOG"),
    ];
    for (arguments, filter, says) in mistakes {
        let healthy = run(arguments, filter, Stdio::null(), Stdio::piped());
        assert_eq!(healthy.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(healthy.stderr).unwrap();
        assert!(text.contains(says) && text.ends_with('\n'), "{arguments:?}: {text}");
        let (ended, without_reader) = pipe().unwrap();
        drop(ended);
        let (_reader, full) = full_pipe();
        let full_disk = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        for broken in [without_reader.into(), full.into(), full_disk().into()] {
            let status = run(arguments, filter, full_disk().into(), broken).status;
            assert_eq!(status.code(), Some(2), "{arguments:?}: {status}");
        }
    }
}

#[test]
fn an_answer_that_nobody_hears_is_no_failure() {
    for arguments in [["--help"], ["--version"], ["help"]] {
        let (ended, without_reader) = pipe().unwrap();
        drop(ended);
        let full: Stdio = OpenOptions::new().write(true).open("/dev/full").unwrap().into();
        for stdout in [without_reader.into(), full] {
            let ended = run(&arguments, "", stdout, Stdio::piped());
            assert_eq!((ended.status.code(), &*ended.stderr), (Some(0), &b""[..]), "{arguments:?}");
        }
    }
}
