-- Which orders a conversation is about, in the order in which they were named.
CREATE TABLE orders (
    conversation_id text   PRIMARY KEY,
    numbers         text[] NOT NULL
);
