-- Notes what call $1 collected ($2), unless a copy of it has ended before; gives the answer to all of them.
update collection_request set answer = coalesce(answer, $2) where request_id = $1 returning answer
