import java.net.URI;
import java.net.URLEncoder;
import java.net.http.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.regex.*;

/** Reads all rows of a grant as a stream, then what changes. Java 11 or newer, standard library only; take a JSON library for the rows.
 *  HUB=https://hub.example.gov.cn RESOURCE=ID PURPOSE=CODE KEY_FILE=key java Pull.java */
public class Pull {
    static final HttpClient http = HttpClient.newHttpClient();

    static <T> T call(String what, String accept, HttpResponse.BodyHandler<T> body) throws Exception {
        var url = System.getenv("HUB") + "/api/v1/data/" + System.getenv("RESOURCE") + "/" + what;
        var key = Files.readString(Path.of(System.getenv("KEY_FILE"))).trim();
        var request = HttpRequest.newBuilder(URI.create(url)).header("Authorization", "Bearer " + key)
            .header("X-Purpose", System.getenv("PURPOSE")).header("Accept", accept).build();
        while (true) {
            var answer = http.send(request, body);
            if (answer.statusCode() == 200) return answer.body();
            if (answer.statusCode() != 429 && answer.statusCode() != 503) // 409 and 410: begin anew; 403: the grant is suspended or over.
                throw new IllegalStateException("the hub answers " + answer.statusCode());
            Thread.sleep(1000L * Long.parseLong(answer.headers().firstValue("Retry-After").orElse("1")));
        }
    }

    /** A text behind the rows or changes. Cursors hold no character that JSON escapes. */
    static String field(String json, String name) {
        var m = Pattern.compile("\"" + name + "\":\"([^\"\\\\]*)\"").matcher(json.substring(Math.max(0, json.lastIndexOf(']'))));
        return m.find() ? m.group(1) : "";
    }

    public static void main(String[] args) throws Exception {
        long rows = 0, changes = 0;
        String last = "";
        for (var line : (Iterable<String>) call("rows", "application/x-ndjson", HttpResponse.BodyHandlers.ofLines())::iterator) {
            if (!line.startsWith("{\"end\":{")) rows++; // Store the row by its key, or by _rid, here.
            last = line;
        }
        if (!last.startsWith("{\"end\":{")) throw new IllegalStateException("the stream was cut: read it again");
        var cursor = field(last, "changes_cursor");
        for (var more = true; more; ) { // Keep the cursor and call again, every minute or so, for what changes later.
            var page = call("changes?limit=5000&cursor=" + URLEncoder.encode(cursor, StandardCharsets.UTF_8), "application/json", HttpResponse.BodyHandlers.ofString());
            changes += page.split("\\{\"op\":\"", -1).length - 1; // Put each "upsert" and remove each "delete" here.
            cursor = field(page, "next_cursor");
            more = page.endsWith("\"more\":true}");
        }
        System.out.println(rows + " rows, then " + changes + " changes");
    }
}
