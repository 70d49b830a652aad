-- The classes that customers are settled in (abc: 1 = A, 2 = B, 3 = C; r, f, m: the score; churn: 1 = low, 2 = medium, 3 = high), and those that wait to be settled.
CREATE TABLE classes (
    customer_id INTEGER NOT NULL PRIMARY KEY REFERENCES customers (id) ON DELETE CASCADE,
    abc INTEGER,
    r INTEGER,
    f INTEGER,
    m INTEGER,
    churn INTEGER,
    waiting TEXT
) STRICT;

-- Each move of a customer from one class to another, once. NULL: no class was, or is, known.
CREATE TABLE crossings (
    customer_id INTEGER NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    score TEXT NOT NULL CHECK (score IN ('abc', 'r', 'f', 'm', 'churn')),
    at INTEGER NOT NULL,
    was INTEGER,
    class INTEGER,
    PRIMARY KEY (customer_id, score, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX crossings_by_time ON crossings (at);

-- From which run up to which the moves are known, and the settings that the classes were made with.
CREATE TABLE class_histories (
    name TEXT NOT NULL PRIMARY KEY CHECK (name = 'latest'),
    begins_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    settings TEXT NOT NULL
) STRICT;
