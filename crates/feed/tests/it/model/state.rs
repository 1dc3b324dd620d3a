//! What the model knows at one instant, and what replicas do to it.

/// Which batch stands at a revision; no two lives share one.
pub(crate) type Batch = u8;

/// What a correct replica does. Each `false` is an anomaly that the model must find.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// An entry of the stream is taken only at the ring's end.
    pub(crate) compares_after: bool,
    /// A new connection compares the stream's top with the table.
    pub(crate) checks_top: bool,
    /// Whoever reads on in the table compares its epoch.
    pub(crate) compares_epoch: bool,
    /// A view writes its rows before it publishes the revision.
    pub(crate) rows_first: bool,
    /// A subscriber acknowledges what it has applied, not what it has received.
    pub(crate) acks_applied: bool,
    /// The tail reads the table now and then, whatever it hears.
    pub(crate) polls: bool,
}

pub(crate) const RIGHT: Rules = Rules {
    compares_after: true,
    checks_top: true,
    compares_epoch: true,
    rows_first: true,
    acks_applied: true,
    polls: true,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// One log a life of the database; the last is the table.
    pub(crate) lives: Vec<Vec<Batch>>,
    /// The epoch of each life; the stream's key.
    pub(crate) epochs: Vec<u8>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) replicas: Vec<Replica>,
    /// Batches written so far.
    pub(crate) batches: u8,
    /// Faults so far.
    pub(crate) faults: u8,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stream {
    /// The last id; trimming leaves it.
    pub(crate) top: usize,
    /// Ends, what came before, and batches.
    pub(crate) entries: Vec<(usize, usize, Batch)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    /// To which life its ring belongs, in truth.
    pub(crate) life: usize,
    pub(crate) epoch: u8,
    pub(crate) history: u8,
    /// The ring holds the revisions after this.
    pub(crate) start: usize,
    pub(crate) ring: Vec<Batch>,
    /// Handed over by its writer and not taken yet: epoch, after, batch.
    pub(crate) handed: Vec<(u8, usize, Batch)>,
    pub(crate) own: usize,
    pub(crate) in_stream: usize,
    pub(crate) redis: Redis,
    pub(crate) subscriber: Subscriber,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Redis {
    Lost,
    /// The stream was looked at, and the table not yet.
    Looked(Stream),
    /// Listening from here on.
    Connected(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subscriber {
    pub(crate) life: usize,
    pub(crate) epoch: u8,
    /// Of the replica, when the watch was opened; none: it is to be opened.
    pub(crate) history: Option<u8>,
    /// None: it needs a snapshot.
    pub(crate) cursor: Option<usize>,
    /// Its view.
    pub(crate) rows: Vec<Batch>,
    /// The revision that its view publishes as applied.
    pub(crate) claimed: usize,
    /// What the source was told, by this subscriber in this epoch.
    pub(crate) acked: usize,
}

impl State {
    pub(crate) fn table(&self) -> &[Batch] {
        self.lives.last().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn epoch(&self) -> u8 {
        self.epochs.last().copied().unwrap_or(0)
    }

    pub(crate) fn life(&self) -> usize {
        self.lives.len() - 1
    }

    pub(crate) fn stream(&mut self, epoch: u8) -> &mut Stream {
        &mut self.streams[usize::from(epoch)]
    }

    /// `Shared::read`.
    pub(crate) fn read(&mut self, at: usize) {
        let (table, epoch, life) = (self.table().to_vec(), self.epoch(), self.life());
        let replica = &mut self.replicas[at];
        let to = replica.to();
        let changed = replica
            .ring
            .last()
            .is_some_and(|last| table.get(to - 1) != Some(last));
        if epoch != replica.epoch || table.len() < to || changed {
            replica.history += 1;
            (replica.life, replica.epoch) = (life, epoch);
            (replica.start, replica.ring) = (table.len(), Vec::new());
            // `Running::session` ends with the history, and `own` follows the ring.
            (replica.own, replica.in_stream, replica.redis) = (table.len(), 0, Redis::Lost);
        } else {
            replica.ring.extend(&table[to..]);
        }
    }

    /// `Shared::push`, and the read of a gap.
    pub(crate) fn push(&mut self, at: usize, after: usize, batch: Batch, fits: bool) {
        let replica = &mut self.replicas[at];
        let to = after + 1;
        if to <= replica.to() {
        } else if fits {
            replica.ring.push(batch);
        } else {
            self.read(at);
        }
    }

    /// `Running::publish`: the next frame of `in_stream..own`, from the ring or else the table.
    pub(crate) fn publish(&mut self, at: usize, rules: Rules) -> bool {
        let replica = &self.replicas[at];
        let after = replica.in_stream;
        let Some(batch) = self.next(at, replica.epoch, after, rules) else {
            return false;
        };
        let stream = self.stream(self.replicas[at].epoch);
        // Redis refuses an id that is equal or smaller.
        if after + 1 > stream.top {
            stream.top = after + 1;
            stream.entries.push((after + 1, after, batch));
        }
        true
    }

    /// What follows `cursor`, of `epoch`: in the ring, or, for one that is behind it, in the table (`frame::read`).
    pub(crate) fn next(&self, at: usize, epoch: u8, cursor: usize, rules: Rules) -> Option<Batch> {
        let replica = &self.replicas[at];
        match cursor.checked_sub(replica.start) {
            Some(place) => replica.ring.get(place).copied(),
            None if rules.compares_epoch && epoch != self.epoch() => None,
            None => self.table().get(cursor).copied(),
        }
    }

    pub(crate) fn restart(&mut self, at: usize) {
        let (start, life, epoch) = (self.table().len(), self.life(), self.epoch());
        let replica = &mut self.replicas[at];
        replica.subscriber.history = None;
        *replica = Replica {
            life,
            epoch,
            history: replica.history + 1,
            start,
            ring: Vec::new(),
            handed: Vec::new(),
            own: start,
            in_stream: 0,
            redis: Redis::Lost,
            subscriber: replica.subscriber.clone(),
        };
    }
}

impl Replica {
    pub(crate) fn to(&self) -> usize {
        self.start + self.ring.len()
    }
}

impl Subscriber {
    pub(crate) fn new() -> Subscriber {
        Subscriber {
            life: 0,
            epoch: 0,
            history: None,
            cursor: None,
            rows: Vec::new(),
            claimed: 0,
            acked: 0,
        }
    }
}
