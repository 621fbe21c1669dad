//! Standard error: the log, and the faults of the start. It may be a full disk, a pipe that nobody reads or whose reader
//! has ended, a terminal that is gone. Whoever writes here neither waits nor fails: a thread of its own does both, and
//! what cannot be written is lost and counted (docs/decisions/log.md).

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind, Write},
    os::fd::AsFd as _,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use signal_hook::consts::SIGXFSZ;
use tracing_subscriber::fmt::MakeWriter;

use super::limits;

static STDERR: Queue = Queue::new();

/// Begins to write what is printed.
///
/// # Errors
/// The system has no thread for it.
pub fn start() -> io::Result<Started> {
    // A file that has reached the limit of its size: without a handler this signal ends the process; with one the write
    // fails.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    // Not by way of the standard library's own, which takes a descriptor that cannot be written for one that is closed on
    // purpose, and says that all is well.
    let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    thread::Builder::new().name("log".to_owned()).spawn(move || STDERR.write_to(stderr))?;
    Ok(Started(()))
}

/// When it is dropped, what was printed has been written, as far as that is possible within
/// [`limits::LOG_LAST_LINES`].
#[must_use]
pub struct Started(());

impl Drop for Started {
    fn drop(&mut self) {
        flush();
    }
}

/// Prints whole lines.
pub fn print(lines: impl AsRef<str>) {
    STDERR.push(lines.as_ref().as_bytes());
}

/// Waits until everything is written, for [`limits::LOG_LAST_LINES`] at most.
pub fn flush() {
    STDERR.flush();
}

/// How many lines have been lost since the start.
pub fn lost() -> u64 {
    STDERR.lost.load(Ordering::Relaxed)
}

/// Where the log's lines go.
#[derive(Clone, Copy)]
pub(super) struct Log;

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Log {
    /// Takes whole lines.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines on their way to a writer that may fail, or block for ever.
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: AtomicU64,
}

struct Waiting {
    lines: VecDeque<Box<[u8]>>,
    /// Of these lines, and of the one that is being written.
    bytes: usize,
}

impl Queue {
    const fn new() -> Self {
        let waiting = Waiting { lines: VecDeque::new(), bytes: 0 };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new(), lost: AtomicU64::new(0) }
    }

    fn push(&self, line: &[u8]) {
        let line: Box<[u8]> = line.into();
        let mut waiting = self.lock();
        if waiting.bytes + line.len() > limits::LOG_WAITING_BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line);
        drop(waiting);
        self.changed.notify_all();
    }

    /// Writes one line after the other, for ever.
    fn write_to(&self, writer: impl Write) {
        let mut lines = Lines { writer, torn: false };
        let mut reported = 0;
        loop {
            let line = self.next();
            if lines.write(&line).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            } else if self.lock().lines.is_empty() {
                // It works again, and there is room for one more line.
                let lost = self.lost.load(Ordering::Relaxed);
                if lost > reported {
                    tracing::warn!(code = "log_lines_lost", lines = lost - reported, "lines of the log were lost");
                    reported = lost;
                }
            }
            self.lock().bytes -= line.len();
            self.changed.notify_all();
        }
    }

    /// The next line, as soon as there is one.
    fn next(&self) -> Box<[u8]> {
        let mut waiting = self.lock();
        loop {
            if let Some(line) = waiting.lines.pop_front() {
                return line;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn flush(&self) {
        drop(self.changed.wait_timeout_while(self.lock(), limits::LOG_LAST_LINES, |waiting| waiting.bytes > 0));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it holds the lock, so even a poisoned one holds a consistent state.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines in a writer. A line stays a line of its own even if the one before it could only be written in part.
struct Lines<W> {
    writer: W,
    torn: bool,
}

impl<W: Write> Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.write_all(b"\n")?;
            self.torn = false;
        }
        self.write_all(line)
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.writer.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = bytes.get(written..).unwrap_or_default();
                    self.torn = !bytes.is_empty();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Others may have made it non-blocking: it is the same for whoever has the terminal or the pipe.
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(limits::LOG_RETRY_AFTER),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A writer that does with each write what it is told to: as many bytes as that, or an error.
    struct Told {
        orders: Receiver<Result<usize, ErrorKind>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Once nobody orders anything any more it blocks, as a pipe that nobody reads.
            let Ok(order) = self.orders.recv() else {
                loop {
                    thread::park()
                }
            };
            let taken = order?.min(bytes.len());
            self.written.send(bytes[..taken].to_vec()).unwrap();
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A queue whose writer follows `orders`, and what is written.
    fn queue(orders: &[Result<usize, ErrorKind>]) -> (&'static Queue, Receiver<Vec<u8>>) {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        let (order, orders_of_the_writer) = channel();
        let (written, seen) = channel();
        orders.iter().for_each(|each| order.send(*each).unwrap());
        thread::spawn(move || queue.write_to(Told { orders: orders_of_the_writer, written }));
        (queue, seen)
    }

    fn text(seen: &Receiver<Vec<u8>>) -> String {
        String::from_utf8(seen.try_iter().flatten().collect()).unwrap()
    }

    const ALL: Result<usize, ErrorKind> = Ok(usize::MAX);

    #[test]
    fn lines_are_written_in_their_order_and_flushed() {
        let (queue, seen) = queue(&[ALL, ALL, ALL]);
        ["a\n", "b\n", "c\n"].iter().for_each(|line| queue.push(line.as_bytes()));
        queue.flush();
        assert_eq!(text(&seen), "a\nb\nc\n");
    }

    #[test]
    fn an_error_costs_its_line_alone_and_a_torn_line_is_ended() {
        let errors = [ErrorKind::BrokenPipe, ErrorKind::StorageFull, ErrorKind::FileTooLarge, ErrorKind::Other];
        for error in errors {
            let (queue, seen) = queue(&[Err(error), Ok(3), Err(error), ALL, ALL, ALL]);
            ["first\n", "second\n", "third\n", "fourth\n"].iter().for_each(|line| queue.push(line.as_bytes()));
            queue.flush();
            assert_eq!(text(&seen), "sec\nthird\nfourth\n", "{error:?}");
            assert_eq!(queue.lost.load(Ordering::Relaxed), 2, "{error:?}");
        }
    }

    #[test]
    fn a_writer_that_would_block_or_was_interrupted_is_asked_again() {
        let (queue, seen) = queue(&[Err(ErrorKind::WouldBlock), Ok(2), Err(ErrorKind::Interrupted), ALL]);
        queue.push(b"a line\n");
        queue.flush();
        assert_eq!(text(&seen), "a line\n");
        assert_eq!(queue.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_writer_that_never_returns_holds_nobody_and_costs_no_more_than_its_room() {
        let (queue, _seen) = queue(&[]);
        let line = [b'x'; 1024];
        let fit = u64::try_from(limits::LOG_WAITING_BYTES / line.len()).unwrap();
        for _ in 0..3 * fit {
            queue.push(&line);
        }
        assert_eq!(queue.lost.load(Ordering::Relaxed), 2 * fit);
        assert_eq!(queue.lock().bytes, limits::LOG_WAITING_BYTES);
        // Returns.
        queue.flush();
    }
}
