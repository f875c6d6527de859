-- Notes call $1 with content $2 to collect garbage, if it is new, and forgets those of long ago; gives its content and its
-- answer, if there is one.
with forgotten as (
    delete from collection_request where create_time < now() - interval '30 days' and request_id <> $1
),
noted as (
    insert into collection_request (request_id, content_hash)
    values ($1, $2)
    on conflict (request_id) do update set content_hash = collection_request.content_hash
    returning content_hash, answer
)
select content_hash, answer from noted
