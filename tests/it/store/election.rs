//! Whoever follows a replica set, and an election of which nothing is seen but that its primary names another one: the
//! connections to it last, and so does the change stream. SecantusDB names none, so a proxy does.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
};

use bson::{Document, oid::ObjectId};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

use crate::support::{bench::Bench, mongo, port::ANY};

/// Of a message: its length, its id, to which it answers, and what it is, in 32 bits each.
const HEADER: usize = 16;
/// A message of today (`OP_MSG`): flags in 32 bits, a byte for the kind of its first part, and there, here, a document.
const MESSAGE: [u8; 4] = 2013_i32.to_le_bytes();
const TO_THE_DOCUMENT: usize = 5;

/// A proxy of MongoDB's protocol: what answers `hello` as a replica set says in which election it became the primary.
struct Primary {
    address: SocketAddr,
    /// How many there have been.
    elections: Arc<AtomicU8>,
}

impl Primary {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(ANY).await.unwrap();
        let primary = Self { address: listener.local_addr().unwrap(), elections: Arc::new(AtomicU8::new(1)) };
        let elections = Arc::clone(&primary.elections);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                let ((mut asked, answered), (answers, mut asks)) = (client.into_split(), server.into_split());
                let elections = Arc::clone(&elections);
                tokio::spawn(async move { copy(&mut asked, &mut asks).await });
                tokio::spawn(async move { pass_on(answers, answered, &elections).await });
            }
        });
        primary
    }

    fn is_elected_again(&self) {
        self.elections.fetch_add(1, SeqCst);
    }
}

/// Until one of both is gone.
async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    elections: &AtomicU8,
) -> io::Result<()> {
    loop {
        let length = from.read_u32_le().await?;
        let mut message = length.to_le_bytes().to_vec();
        message.resize(usize::try_from(length).unwrap(), 0);
        from.read_exact(&mut message[4..]).await?;
        if message[12..HEADER] == MESSAGE {
            name_the_election(&mut message, elections.load(SeqCst));
        }
        to.write_all(&message).await?;
    }
}

fn name_the_election(message: &mut Vec<u8>, election: u8) {
    let start = HEADER + TO_THE_DOCUMENT;
    let mut document = Document::from_reader(&message[start..]).unwrap();
    if document.contains_key("setName") {
        document.insert("electionId", ObjectId::from_bytes([election; 12]));
        message.truncate(start);
        document.to_writer(&mut *message).unwrap();
        let length = u32::try_from(message.len()).unwrap();
        message[..4].copy_from_slice(&length.to_le_bytes());
    }
}

/// What was read before it may be what it undoes, and no stream says so.
#[tokio::test]
async fn a_mongodb_that_has_elected_again_is_followed_no_more() {
    let server = mongo::Server::start_replica_set().await;
    let address = server.uri().trim_start_matches("mongodb://").trim_end_matches('/').parse().unwrap();
    let primary = Primary::before(address).await;
    // By itself the driver would go on to the address that the server names.
    let bench = Bench::mongo_at(&format!("mongodb://{}/?directConnection=true", primary.address)).await;
    let mut changes = bench.store.follow().await.unwrap().expect("a replica set");
    changes.next(&mut Vec::new()).await.unwrap();
    primary.is_elected_again();
    let refused = changes.next(&mut Vec::new()).await.unwrap_err();
    assert!(refused.to_string().contains("another primary"), "{refused}");
    let mut changes = bench.store.follow().await.unwrap().expect("a replica set");
    changes.next(&mut Vec::new()).await.unwrap();
}
