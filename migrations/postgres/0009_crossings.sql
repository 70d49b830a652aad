-- The classes that customers are settled in (abc: 1 = A, 2 = B, 3 = C; r, f, m: the score; churn: 1 = low, 2 = medium, 3 = high), and those that wait to be settled.
CREATE TABLE classes (
    customer_id BIGINT NOT NULL PRIMARY KEY REFERENCES customers (id) ON DELETE CASCADE,
    abc BIGINT,
    r BIGINT,
    f BIGINT,
    m BIGINT,
    churn BIGINT,
    waiting TEXT COLLATE "C"
);

-- Each move of a customer from one class to another, once. NULL: no class was, or is, known.
CREATE TABLE crossings (
    customer_id BIGINT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    score TEXT COLLATE "C" NOT NULL CHECK (score IN ('abc', 'r', 'f', 'm', 'churn')),
    at BIGINT NOT NULL,
    was BIGINT,
    class BIGINT,
    PRIMARY KEY (customer_id, score, at)
);
CREATE INDEX crossings_by_time ON crossings (at);

-- From which run up to which the moves are known, and the settings that the classes were made with.
CREATE TABLE class_histories (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (name = 'latest'),
    begins_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    settings TEXT COLLATE "C" NOT NULL
);
