-- What was done in rounds: who, when, on what basis. Appended, never updated.
CREATE TABLE round_step (
    round  text    NOT NULL,
    number integer NOT NULL, -- counts up within the round
    body   text    NOT NULL, -- JSON
    CONSTRAINT round_step_pkey PRIMARY KEY (round, number)
);
-- What the public said of a round. A row is added once; only its answer is filled in later.
CREATE TABLE round_comment (
    round text    NOT NULL,
    id    text    NOT NULL, -- grows with time
    shown integer NOT NULL, -- -1: nobody has answered; 1: the public sees it; 0: it does not
    body  text    NOT NULL, -- JSON
    CONSTRAINT round_comment_pkey PRIMARY KEY (round, id)
);
