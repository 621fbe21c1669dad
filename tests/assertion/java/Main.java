import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;

import com.nimbusds.jose.util.JSONObjectUtils;

final class Main {
    public static void main(String[] arguments) throws Exception {
        var assertions = new Assertions();
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(JSONObjectUtils.toJSONString(said(assertions, line)));
        }
    }

    private static Map<String, ?> said(Assertions assertions, String line) {
        try {
            return Map.of("sub", assertions.person(line).getSubject());
        } catch (Exception error) {
            return Map.of("refused", error.toString());
        }
    }
}
